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
        $open_a = "/OpenAction"
        $open_b = "/AA"
        $type = /\/S\s{0,5}\/JavaScript\b/
        $code = /\/JS[\s(<]/
    condition:
        uint32(0) == 0x46445025 and any of ($open_*) and $type and $code
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
        stage = "enforce"
    strings:
        $launch = /\/S\s{0,5}\/Launch\b/
        $target = /\/(Win|Unix|Mac)\s{0,5}[(<]/
        $file_a = "/F("
        $file_b = "/F ("
        $file_c = "/F<"
        $file_d = "/F <"
    condition:
        uint32(0) == 0x46445025 and $launch and ($target or any of ($file_*))
}
