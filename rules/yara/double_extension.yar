rule double_extension_program
{
    meta:
        symbol = "YARA_DOUBLE_EXTENSION"
        score = 8
        action = "quarantine"
        severity = "high"
        description = "A program or script whose name shows a document's extension before its own"
        owner = "filterd"
        stage = "enforce"
    condition:
        filename matches /\.(pdf|docx?|xlsx?|pptx?|rtf|txt|csv|jpe?g|png|gif|html?|zip)[ ._\-]{0,100}\.(exe|scr|com|pif|bat|cmd|vbs|vbe|jse?|wsf|wsh|hta|lnk|ps1|msi|cpl|jar|iso|img|vhdx?)$/i
}

rule right_to_left_name
{
    meta:
        symbol = "YARA_RTL_NAME"
        score = 8
        action = "quarantine"
        severity = "high"
        description = "A file name that turns the reading direction to hide its extension"
        owner = "filterd"
        stage = "enforce"
    condition:
        filename contains "\xe2\x80\xae" or filename contains "\xe2\x81\xa7"
}

rule name_padded_with_blanks
{
    meta:
        symbol = "YARA_PADDED_NAME"
        score = 5
        severity = "medium"
        description = "A file name that pushes its extension out of sight with blanks"
        owner = "filterd"
        stage = "score"
    condition:
        filename matches /[ _.]{20,200}\.[a-z0-9]{1,8}$/i
}

rule name_with_class_id
{
    meta:
        symbol = "YARA_CLSID_NAME"
        score = 8
        action = "quarantine"
        severity = "high"
        description = "A file name that ends in a class id, which Windows hides and obeys"
        owner = "filterd"
        stage = "enforce"
    condition:
        filename matches /\.\{[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\}$/i
}
