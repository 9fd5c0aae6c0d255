rule html_builds_a_file
{
    meta:
        symbol = "YARA_HTML_SMUGGLING"
        score = 7
        action = "quarantine"
        severity = "high"
        description = "A page whose script decodes a file and hands it to the browser as a download"
        owner = "filterd"
        stage = "enforce"
    strings:
        $script = "<script" nocase
        $blob = /new\s{1,20}Blob\s{0,20}\(/
        $save = "msSaveOrOpenBlob"
        $url = "createObjectURL"
        $atob = /\batob\s{0,20}\(/
        $bytes = "new Uint8Array"
        $code = ".charCodeAt("
        $download = /\.download\s{0,20}=/
        $attribute = /setAttribute\s{0,20}\(\s{0,20}["']download["']/
        $click = ".click()"
    condition:
        $script and ($blob or $save) and ($atob or ($bytes and $code)) and
        ($save or ($url and ($click or $download or $attribute)))
}

rule html_writes_decoded_page
{
    meta:
        symbol = "YARA_HTML_HIDDEN_PAGE"
        score = 4
        severity = "medium"
        description = "A page that writes itself from an encoded text"
        owner = "filterd"
        stage = "score"
    strings:
        $write = /document\.write(ln)?\s{0,20}\(\s{0,20}(atob|unescape|decodeURIComponent)\s{0,20}\(\s{0,20}["'][A-Za-z0-9+\/%]{200}/
    condition:
        $write
}
