rule macro_runs_by_itself
{
    meta:
        symbol = "YARA_MACRO_AUTORUN"
        score = 6
        action = "quarantine"
        severity = "high"
        description = "Macro text that runs when a document is opened and starts programs or fetches files"
        owner = "filterd"
        stage = "enforce"
    strings:
        $open = /\bSub\s{1,20}(Auto_?Open|Document_?Open|Workbook_?Open|Auto_?Close|AutoExec)\b/ nocase
        $shell = /\bShell\s{0,20}\(/ nocase
        $wscript = "WScript.Shell" nocase
        $create = "CreateObject(" nocase
        $http = "MSXML2.XMLHTTP" nocase
        $stream = "ADODB.Stream" nocase
        $download = "URLDownloadToFile" nocase
        $power = "powershell" nocase
    condition:
        $open and ($shell or ($create and ($wscript or $http or $stream)) or $download or $power)
}

rule document_loads_template
{
    meta:
        symbol = "YARA_REMOTE_TEMPLATE"
        score = 5
        action = "quarantine"
        severity = "high"
        description = "An Office document that fetches its template from elsewhere"
        owner = "filterd"
        stage = "enforce"
    strings:
        $type = "/relationships/attachedTemplate\""
        $external = /Target\s{0,5}=\s{0,5}"(https?|ftp|file|mhtml):[^"]{1,500}"/ nocase
        $mode = "TargetMode=\"External\"" nocase
    condition:
        $type and $external and $mode
}

rule macro_builds_text_from_numbers
{
    meta:
        symbol = "YARA_MACRO_CHR"
        score = 4
        severity = "medium"
        description = "Macro text that writes its words as a chain of character codes"
        owner = "filterd"
        stage = "score"
    strings:
        $chain = /Chr\$?\(\d{1,3}\) & Chr\$?\(\d{1,3}\) & Chr\$?\(\d{1,3}\) & Chr\$?\(\d{1,3}\)/ nocase
    condition:
        #chain >= 3
}

rule field_starts_program
{
    meta:
        symbol = "YARA_DDE_FIELD"
        score = 7
        action = "quarantine"
        severity = "high"
        description = "A Word document whose field starts a program through DDE"
        owner = "filterd"
        stage = "enforce"
    strings:
        $field = "w:instrText"
        $dde_a = "DDEAUTO " nocase
        $dde_b = "DDEAUTO\"" nocase
        $dde_c = /DDE\s{1,20}"?[a-z]:\\/ nocase
    condition:
        $field and any of ($dde_*)
}

rule cell_starts_program
{
    meta:
        symbol = "YARA_DDE_CELL"
        score = 6
        action = "quarantine"
        severity = "high"
        description = "A table of text with a cell that starts a program when a spreadsheet opens it"
        owner = "filterd"
        stage = "enforce"
    strings:
        $equals = "=cmd|" nocase
        $plus = "+cmd|" nocase
        $minus = "-cmd|" nocase
        $at = "@SUM(1+1)*cmd|" nocase
        $power = "=powershell|" nocase
        $mshta = "=mshta|" nocase
        $excel = "=MSEXCEL|" nocase
    condition:
        extension matches /^(csv|tsv|slk|iqy|txt)$/ and any of them
}

rule rtf_equation_object
{
    meta:
        symbol = "YARA_RTF_EQUATION"
        score = 7
        action = "quarantine"
        severity = "high"
        description = "An RTF file with an embedded equation, as exploits of the equation editor have it"
        owner = "filterd"
        stage = "enforce"
    strings:
        $data = "\\objdata"
        $equation_a = "4571756174696f6e2e33" nocase
        $equation_b = "\\objclass Equation.3" nocase
        $equation_c = "02ce020000000000c000000000000046" nocase
    condition:
        uint32be(0) == 0x7B5C7274 and $data and any of ($equation_*)
}

rule rtf_updates_object
{
    meta:
        symbol = "YARA_RTF_UPDATE"
        score = 5
        action = "quarantine"
        severity = "high"
        description = "An RTF file whose linked or embedded object is loaded as soon as it is opened"
        owner = "filterd"
        stage = "enforce"
    strings:
        $update = "\\objupdate"
        $link = "\\objautlink"
        $data = "\\objdata"
    condition:
        uint32be(0) == 0x7B5C7274 and $update and any of ($link, $data)
}

rule sheet_macro_on_open
{
    meta:
        symbol = "YARA_XLM_AUTORUN"
        score = 6
        action = "quarantine"
        severity = "high"
        description = "A workbook that runs an Excel 4 macro sheet when it is opened"
        owner = "filterd"
        stage = "enforce"
    strings:
        $workbook = "<definedName"
        $open_a = "\"_xlnm.Auto_Open" nocase
        $open_b = "\"_xlnm.Auto_Close" nocase
        $sheet = "<xm:macrosheet"
        $call_a = "CALL(" nocase
        $call_b = "EXEC(" nocase
        $call_c = "REGISTER(" nocase
    condition:
        ($workbook and any of ($open_*)) or ($sheet and any of ($call_*))
}

rule package_holds_program
{
    meta:
        symbol = "YARA_OLE_PACKAGE"
        score = 6
        action = "quarantine"
        severity = "high"
        description = "An Office document with an embedded program or script to click on"
        owner = "filterd"
        stage = "enforce"
    strings:
        $native = "Ole10Native" wide
        $file_a = ".exe\x00" nocase
        $file_b = ".scr\x00" nocase
        $file_c = ".js\x00" nocase
        $file_d = ".jse\x00" nocase
        $file_e = ".vbs\x00" nocase
        $file_f = ".vbe\x00" nocase
        $file_g = ".wsf\x00" nocase
        $file_h = ".hta\x00" nocase
        $file_i = ".lnk\x00" nocase
        $file_j = ".bat\x00" nocase
        $file_k = ".cmd\x00" nocase
        $file_l = ".ps1\x00" nocase
    condition:
        uint32be(0) == 0xD0CF11E0 and $native and any of ($file_*)
}

rule page_archive_hides_macro
{
    meta:
        symbol = "YARA_MHT_ACTIVEMIME"
        score = 7
        action = "quarantine"
        severity = "high"
        description = "A web archive with a macro project, as Word opens it under a harmless name"
        owner = "filterd"
        stage = "enforce"
    strings:
        $mime = "MIME-Version:" nocase
        $active_a = "QWN0aXZlTWltZQ"
        $active_b = "ActiveMime"
    condition:
        $mime and any of ($active_*)
}
