rule macro_runs_by_itself
{
    meta:
        symbol = "YARA_MACRO_AUTORUN"
        score = 6
        action = "quarantine"
        severity = "high"
        description = "Macro text that runs when a document is opened and starts programs or fetches files"
        owner = "filterd"
        stage = "enforce"
    strings:
        $open = /\bSub\s{1,20}(Auto_?Open|Document_?Open|Workbook_?Open|Auto_?Close|AutoExec)\b/ nocase
        $shell = /\bShell\s{0,20}\(/ nocase
        $wscript = "WScript.Shell" nocase
        $create = "CreateObject(" nocase
        $http = "MSXML2.XMLHTTP" nocase
        $stream = "ADODB.Stream" nocase
        $download = "URLDownloadToFile" nocase
        $power = "powershell" nocase
    condition:
        $open and ($shell or ($create and ($wscript or $http or $stream)) or $download or $power)
}

rule document_loads_template
{
    meta:
        symbol = "YARA_REMOTE_TEMPLATE"
        score = 5
        action = "quarantine"
        severity = "high"
        description = "An Office document that fetches its template from elsewhere"
        owner = "filterd"
        stage = "enforce"
    strings:
        $type = "/relationships/attachedTemplate\""
        $external = /Target\s{0,5}=\s{0,5}"(https?|ftp|file|mhtml):[^"]{1,500}"/ nocase
        $mode = "TargetMode=\"External\"" nocase
    condition:
        $type and $external and $mode
}
