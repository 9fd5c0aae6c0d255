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

rule html_download_from_text
{
    meta:
        symbol = "YARA_HTML_DATA_DOWNLOAD"
        score = 6
        action = "quarantine"
        severity = "high"
        description = "A page with a link that saves a file written into the page itself"
        owner = "filterd"
        stage = "enforce"
    strings:
        $data_a = "data:application/octet-stream;base64," nocase
        $data_b = "data:application/zip;base64," nocase
        $data_c = "data:application/x-zip-compressed;base64," nocase
        $data_d = "data:application/x-msdownload;base64," nocase
        $data_e = "data:application/x-iso9660-image;base64," nocase
        $data_f = "data:application/x-rar-compressed;base64," nocase
        $download_a = " download=" nocase
        $download_b = ".download=" nocase
        $download_c = ".download =" nocase
    condition:
        any of ($data_*) and any of ($download_*)
}

rule html_runs_decoded_script
{
    meta:
        symbol = "YARA_HTML_EVAL"
        score = 5
        severity = "medium"
        description = "A page that runs a script which it decodes first"
        owner = "filterd"
        stage = "score"
    strings:
        $script = "<script" nocase
        $run_a = /eval\s{0,10}\(\s{0,10}(atob|unescape|decodeURIComponent|String\.fromCharCode)\s{0,10}\(/
        $run_b = /Function\s{0,10}\(\s{0,10}atob\s{0,10}\(/
    condition:
        $script and any of ($run_*)
}

rule html_goes_to_decoded_place
{
    meta:
        symbol = "YARA_HTML_HIDDEN_TARGET"
        score = 5
        severity = "medium"
        description = "A page that goes at once to an address which it decodes first"
        owner = "filterd"
        stage = "score"
    strings:
        $script = "<script" nocase
        $go = /location(\.href|\.replace|\.assign)?\s{0,10}(=|\()\s{0,10}(window\.)?(atob|unescape)\s{0,10}\(/
    condition:
        $script and $go
}

rule html_decrypts_itself
{
    meta:
        symbol = "YARA_HTML_ENCRYPTED_PAGE"
        score = 5
        severity = "medium"
        description = "An attached page that decrypts itself and writes what comes out"
        owner = "filterd"
        stage = "score"
    strings:
        $script = "<script" nocase
        $decrypt_a = "CryptoJS.AES.decrypt"
        $decrypt_b = "subtle.decrypt("
        $decrypt_c = "XORCipher"
        $write_a = "document.write("
        $write_b = ".innerHTML ="
        $write_c = ".innerHTML="
    condition:
        $script and any of ($decrypt_*) and any of ($write_*) and filename matches /\.(x|s)?html?$/i
}

rule svg_runs_script
{
    meta:
        symbol = "YARA_SVG_SCRIPT"
        score = 6
        action = "quarantine"
        severity = "high"
        description = "A picture in SVG that runs a script"
        owner = "filterd"
        stage = "enforce"
    strings:
        $svg = "<svg" nocase
        $run_a = "<script" nocase
        $run_b = "onload=" nocase
        $do_a = "atob(" nocase
        $do_b = "eval(" nocase
        $do_c = "location" nocase
        $do_d = "fromCharCode"
        $do_e = "window.open" nocase
        $do_f = "XMLHttpRequest"
        $do_g = "fetch("
        $do_h = "document.write"
    condition:
        $svg in (0..2000) and (filetype == "svg" or extension == "svg") and any of ($run_*) and any of ($do_*)
}

rule html_opens_search_folder
{
    meta:
        symbol = "YARA_SEARCH_MS"
        score = 6
        action = "quarantine"
        severity = "high"
        description = "A page or file that opens a folder of somebody else's server as search results"
        owner = "filterd"
        stage = "enforce"
    strings:
        $search = "search-ms:" nocase
        $place_a = "crumb=location:" nocase
        $place_b = "crumb=location%3a" nocase
        $place_c = "subquery=" nocase
    condition:
        $search and any of ($place_*)
}
