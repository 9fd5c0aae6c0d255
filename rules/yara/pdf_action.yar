rule pdf_script_on_open
{
    meta:
        symbol = "YARA_PDF_JAVASCRIPT"
        score = 4
        severity = "medium"
        description = "A PDF that runs a script when it is opened"
        owner = "filterd"
        stage = "score"
    strings:
        $open = /\/(OpenAction|AA)\b/
        $type = /\/S\s{0,5}\/JavaScript\b/
        $code = /\/JS[\s(<]/
    condition:
        uint32(0) == 0x46445025 and $open and $type and $code
}

rule pdf_launches_program
{
    meta:
        symbol = "YARA_PDF_LAUNCH"
        score = 8
        action = "quarantine"
        severity = "high"
        description = "A PDF that starts a program"
        owner = "filterd"
        stage = "score"
    strings:
        $launch = /\/S\s{0,5}\/Launch\b/
        $target = /\/(Win|F|Unix|Mac)\s{0,5}[(<]/
    condition:
        uint32(0) == 0x46445025 and $launch and $target
}
