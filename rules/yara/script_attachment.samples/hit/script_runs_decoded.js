eval(unescape("%78"))
