Start-Process notepad
