# run with powershell
Get-ChildItem | Measure-Object
