x = eval("(" + text + ")")
