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

rule pdf_embeds_program
{
    meta:
        symbol = "YARA_PDF_EMBEDDED_PROGRAM"
        score = 7
        action = "quarantine"
        severity = "high"
        description = "A PDF with a program, script or macro document inside"
        owner = "filterd"
        stage = "enforce"
    strings:
        $embedded = "/EmbeddedFile"
        $name = /\/U?F\s{0,3}\([^()]{1,200}\.(exe|scr|jse?|vb[se]|hta|lnk|iso|img|bat|cmd|ps1|msi|docm|xlsm)\)/ nocase
    condition:
        uint32(0) == 0x46445025 and $embedded and $name
}

rule pdf_links_to_program
{
    meta:
        symbol = "YARA_PDF_PROGRAM_LINK"
        score = 4
        severity = "medium"
        description = "A PDF with a link to a program, script or disc image"
        owner = "filterd"
        stage = "score"
    strings:
        $link = /\/URI\s{0,3}\(https?:[^()]{1,400}\.(exe|scr|jse?|vb[se]|hta|lnk|iso|img|bat|cmd|ps1|msi)\)/ nocase
    condition:
        uint32(0) == 0x46445025 and $link
}

rule pdf_opens_remote_file
{
    meta:
        symbol = "YARA_PDF_REMOTE_FILE"
        score = 6
        action = "quarantine"
        severity = "high"
        description = "A PDF that opens a file of another computer, which gives that computer the reader's credentials"
        owner = "filterd"
        stage = "enforce"
    strings:
        $go = /\/S\s{0,3}\/GoTo[ER]\b/
        $place = /\/F\s{0,3}\(\\{2,4}[a-z0-9.]{3,100}\\/ nocase
    condition:
        uint32(0) == 0x46445025 and $go and $place
}

rule pdf_sends_form
{
    meta:
        symbol = "YARA_PDF_SUBMIT"
        score = 3
        severity = "low"
        description = "A PDF with a form that asks for a password and is sent by a click"
        owner = "filterd"
        stage = "score"
    strings:
        $submit = /\/S\s{0,3}\/SubmitForm\b/
        $password = /\/T\s{0,3}\([^()]{0,40}(password|passwd|kennwort|mot de passe)/ nocase
    condition:
        uint32(0) == 0x46445025 and $submit and $password
}
