ExecuteGlobal StrReverse("1 xoBgsM")
