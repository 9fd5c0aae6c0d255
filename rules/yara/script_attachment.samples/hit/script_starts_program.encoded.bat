@rem harmless
powershell -NoProfile -e ZQBjAGgAbwA=
