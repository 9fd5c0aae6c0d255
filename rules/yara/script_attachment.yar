rule script_starts_program
{
    meta:
        symbol = "YARA_SCRIPT_DROPPER"
        score = 7
        action = "quarantine"
        severity = "high"
        description = "A Windows script, sent as a file, that starts programs or fetches files"
        owner = "filterd"
        stage = "enforce"
    strings:
        $shell = "WScript.Shell" nocase
        $application = "Shell.Application" nocase
        $http = /MSXML2\.(Server)?XMLHTTP/ nocase
        $stream = "ADODB.Stream" nocase
        $bits = "bitsadmin" nocase
        $certutil = /certutil(\.exe)?\s{1,20}-(urlcache|decode)/ nocase
        $mshta = /mshta(\.exe)?\s{1,20}["']?https?:/ nocase
        // Words of their own instead of one expression: that would look 200 characters ahead at every "powershell".
        $power = "powershell" nocase
        $flag_encoded = "-enc" nocase
        $flag_short = " -e " nocase
        $flag_window = "-windowstyle" nocase
        $flag_hidden = "-w hidden" nocase
        $flag_profile = "-nop" nocase
    condition:
        extension matches /^(js|jse|vbs|vbe|wsf|wsh|hta|bat|cmd|ps1|sct)$/i and
        (any of ($shell, $application, $http, $stream, $bits, $certutil, $mshta) or ($power and any of ($flag_*)))
}

rule shortcut_runs_interpreter
{
    meta:
        symbol = "YARA_LNK_INTERPRETER"
        score = 9
        action = "quarantine"
        severity = "high"
        description = "A Windows shortcut that starts an interpreter"
        owner = "filterd"
        stage = "enforce"
    strings:
        $clsid = { 01 14 02 00 00 00 00 00 C0 00 00 00 00 00 00 46 }
        $power = "powershell" ascii wide nocase
        $cmd = "cmd.exe" ascii wide nocase
        $mshta = "mshta" ascii wide nocase
        $wscript = "wscript" ascii wide nocase
        $rundll = "rundll32" ascii wide nocase
    condition:
        uint32(0) == 0x0000004C and $clsid at 4 and any of ($power, $cmd, $mshta, $wscript, $rundll)
}

rule script_is_encoded
{
    meta:
        symbol = "YARA_SCRIPT_ENCODED"
        score = 6
        action = "quarantine"
        severity = "high"
        description = "A Windows script in Microsoft's encoding, which only serves to hide it"
        owner = "filterd"
        stage = "enforce"
    strings:
        $mark = { 23 40 7E 5E [6] 3D 3D }
    condition:
        $mark in (0..4096) and (extension matches /^(js|jse|vbs|vbe|wsf|wsh|hta|bat|cmd|ps1|psm1|sct)$/i or filetype == "html")
}

rule hta_application
{
    meta:
        symbol = "YARA_HTA"
        score = 7
        action = "quarantine"
        severity = "high"
        description = "An HTML application: a page that runs as a program"
        owner = "filterd"
        stage = "enforce"
    strings:
        $hta = "<HTA:APPLICATION" nocase
        $script = "<script" nocase
    condition:
        ($hta and not (part_type startswith "text/plain" or part_type == "text" or part_type == "message"))
        or (extension == "hta" and $script)
}

rule powershell_fetches
{
    meta:
        symbol = "YARA_POWERSHELL_FETCH"
        score = 6
        action = "quarantine"
        severity = "high"
        description = "A script that fetches or decodes something with PowerShell and runs it"
        owner = "filterd"
        stage = "enforce"
    strings:
        $run_a = "Invoke-Expression" nocase
        $run_b = "IEX" fullword nocase
        $run_c = "Start-Process" nocase
        $run_d = "Reflection.Assembly" nocase
        $get_a = "DownloadString" nocase
        $get_b = "DownloadFile" nocase
        $get_c = "Invoke-WebRequest" nocase
        $get_d = "Net.WebClient" nocase
        $get_e = "FromBase64String" nocase
        $get_f = "Start-BitsTransfer" nocase
    condition:
        extension matches /^(js|jse|vbs|vbe|wsf|wsh|hta|bat|cmd|ps1|psm1|sct)$/i and any of ($run_*) and any of ($get_*)
}

rule script_in_archive
{
    meta:
        symbol = "YARA_SCRIPT_IN_ARCHIVE"
        score = 5
        severity = "medium"
        description = "A file in an archive that Windows runs as a script when it is clicked on"
        owner = "filterd"
        stage = "score"
    condition:
        filepath contains "/" and extension matches /^(jse|vbs|vbe|wsf|wsh|hta|scr|pif|cpl)$/i and size > 0
}

rule script_runs_decoded
{
    meta:
        symbol = "YARA_SCRIPT_EVAL"
        score = 5
        action = "quarantine"
        severity = "medium"
        description = "A script sent as a file that decodes itself and runs what comes out"
        owner = "filterd"
        stage = "enforce"
    strings:
        $js = /eval\s{0,10}\(\s{0,10}(unescape|String\.fromCharCode|decodeURIComponent|atob)\s{0,10}\(/
        $vbs_a = /Execute(Global)?\s{0,5}\(?\s{0,5}(Replace|StrReverse|Chr)\s{0,5}\(/ nocase
    condition:
        extension matches /^(js|jse|vbs|vbe|wsf|wsh|hta|bat|cmd|ps1|psm1|sct)$/i and any of them
}
