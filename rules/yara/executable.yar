rule windows_program_in_archive
{
    meta:
        symbol = "YARA_PROGRAM_IN_ARCHIVE"
        score = 7
        action = "quarantine"
        severity = "high"
        description = "A Windows program inside of an archive"
        owner = "filterd"
        stage = "enforce"
    condition:
        filepath contains "/" and uint16(0) == 0x5A4D and
        uint32(0x3C) < 0x10000 and uint32(uint32(0x3C)) == 0x00004550
}

rule program_named_as_document
{
    meta:
        symbol = "YARA_PROGRAM_AS_DOCUMENT"
        score = 9
        action = "quarantine"
        severity = "high"
        description = "A program under the name of a document or picture"
        owner = "filterd"
        stage = "enforce"
    condition:
        (uint16(0) == 0x5A4D or uint32(0) == 0x464C457F) and size > 64 and
        filename matches /\.(pdf|docx?|xlsx?|pptx?|rtf|txt|csv|jpe?g|png|gif|html?)$/i
}

rule program_written_as_text
{
    meta:
        symbol = "YARA_PROGRAM_AS_TEXT"
        score = 5
        action = "quarantine"
        severity = "high"
        description = "A Windows program in base64 inside of a text or page"
        owner = "filterd"
        stage = "enforce"
    strings:
        $usual = "TVqQAAMAAAAEAAAA//8AALgAAAA"
        $bare = "TVpQAAIAAAAEAA8A//8AALgAAAA"
    condition:
        (part_type startswith "text/" or filetype == "html") and any of them
}
