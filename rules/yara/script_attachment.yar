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
