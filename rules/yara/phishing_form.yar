rule attached_page_asks_password
{
    meta:
        symbol = "YARA_PHISH_ATTACHED_LOGIN"
        score = 6
        action = "quarantine"
        severity = "high"
        description = "An attached page that asks for a password and sends it somewhere"
        owner = "filterd"
        stage = "enforce"
    strings:
        $password = /<input[^<>]{0,200}type\s{0,3}=\s{0,3}["']?password/ nocase
        $send_a = /<form[^<>]{0,300}action\s{0,3}=\s{0,3}["']?https?:/ nocase
        $send_b = "XMLHttpRequest"
        $send_c = "fetch("
        $send_d = "$.ajax(" nocase
        $send_e = "$.post(" nocase
    condition:
        filename matches /\.(x|s)?html?$/i and $password and any of ($send_*)
}

rule mail_asks_password
{
    meta:
        symbol = "YARA_PHISH_MAIL_LOGIN"
        score = 5
        severity = "high"
        description = "The text of a mail itself has a form that asks for a password"
        owner = "filterd"
        stage = "score"
    strings:
        $form = "<form" nocase
        $password = /<input[^<>]{0,200}type\s{0,3}=\s{0,3}["']?password/ nocase
    condition:
        part_type == "text/html" and filename == "" and $form and $password
}

rule page_reports_to_messenger
{
    meta:
        symbol = "YARA_PHISH_TELEGRAM"
        score = 8
        action = "quarantine"
        severity = "high"
        description = "A page that sends what is typed into it to a messenger's bot"
        owner = "filterd"
        stage = "enforce"
    strings:
        $bot_a = "api.telegram.org/bot" nocase
        $bot_b = "discord.com/api/webhooks/" nocase
        $bot_c = "discordapp.com/api/webhooks/" nocase
        $send_a = "<form" nocase
        $send_b = "XMLHttpRequest"
        $send_c = "fetch("
        $send_d = "$.ajax(" nocase
        $send_e = "$.post(" nocase
    condition:
        any of ($bot_*) and any of ($send_*)
}

rule page_uses_form_service
{
    meta:
        symbol = "YARA_PHISH_FORM_SERVICE"
        score = 5
        action = "quarantine"
        severity = "high"
        description = "A page that asks for a password and lets a form service collect it"
        owner = "filterd"
        stage = "enforce"
    strings:
        $password = /<input[^<>]{0,200}type\s{0,3}=\s{0,3}["']?password/ nocase
        $service_a = "formspree.io/" nocase
        $service_b = "submit-form.com/" nocase
        $service_c = "formsubmit.co/" nocase
        $service_d = "getform.io/" nocase
        $service_e = "web3forms.com/" nocase
        $service_f = "formcarry.com/" nocase
        $service_g = "usebasin.com/" nocase
    condition:
        $password and any of ($service_*)
}

rule page_knows_its_victim
{
    meta:
        symbol = "YARA_PHISH_PREFILLED"
        score = 4
        severity = "medium"
        description = "A page that asks for a password and fills in an address taken from its own link"
        owner = "filterd"
        stage = "score"
    strings:
        $password = /<input[^<>]{0,200}type\s{0,3}=\s{0,3}["']?password/ nocase
        $from_a = "location.hash"
        $from_b = "URLSearchParams"
        $at = /(indexOf|split|includes)\s{0,5}\(\s{0,5}["']@["']/
    condition:
        $password and any of ($from_*) and $at
}

rule page_hides_from_inspection
{
    meta:
        symbol = "YARA_PHISH_NO_DEVTOOLS"
        score = 4
        severity = "medium"
        description = "A page that asks for a password and keeps people from looking at its source"
        owner = "filterd"
        stage = "score"
    strings:
        $password = /<input[^<>]{0,200}type\s{0,3}=\s{0,3}["']?password/ nocase
        $menu = "contextmenu" nocase
        $key_a = /keyCode\s{0,5}={2,3}\s{0,5}123\b/
        $key_b = /key\s{0,5}={2,3}\s{0,5}["']F12["']/
    condition:
        $password and $menu and any of ($key_*)
}
