rule disc_image_holds_program
{
    meta:
        symbol = "YARA_ISO_PROGRAM"
        score = 8
        action = "quarantine"
        severity = "high"
        description = "A disc image with a program, script or shortcut in it"
        owner = "filterd"
        stage = "enforce"
    strings:
        $exe = ".EXE;1" ascii wide nocase
        $scr = ".SCR;1" ascii wide nocase
        $lnk = ".LNK;1" ascii wide nocase
        $js = ".JS;1" ascii wide nocase
        $jse = ".JSE;1" ascii wide nocase
        $vbs = ".VBS;1" ascii wide nocase
        $vbe = ".VBE;1" ascii wide nocase
        $wsf = ".WSF;1" ascii wide nocase
        $hta = ".HTA;1" ascii wide nocase
        $bat = ".BAT;1" ascii wide nocase
        $cmd = ".CMD;1" ascii wide nocase
        $ps1 = ".PS1;1" ascii wide nocase
        $dll = ".DLL;1" ascii wide nocase
        $cpl = ".CPL;1" ascii wide nocase
        $msi = ".MSI;1" ascii wide nocase
    condition:
        uint32be(0x8001) == 0x43443030 and uint8(0x8005) == 0x31 and any of them
}

rule disc_image_from_stranger
{
    meta:
        symbol = "YARA_DISC_IMAGE"
        score = 3
        severity = "medium"
        description = "A disc image or virtual disk, in mail of somebody unknown"
        owner = "filterd"
        stage = "score"
    strings:
        $vhdx = "vhdxfile"
        $vhd = "conectix"
    condition:
        trust == "stranger" and ((uint32be(0x8001) == 0x43443030 and uint8(0x8005) == 0x31) or $vhdx at 0 or $vhd at 0)
}

rule virtual_disk_attached
{
    meta:
        symbol = "YARA_VIRTUAL_DISK"
        score = 6
        action = "quarantine"
        severity = "high"
        description = "A virtual disk: Windows opens it with a click and marks nothing in it as foreign"
        owner = "filterd"
        stage = "enforce"
    strings:
        $vhdx = "vhdxfile"
        $vhd = "conectix"
    condition:
        ($vhdx at 0 or $vhd at 0) and extension matches /^(vhdx?|img|iso)$/
}

rule notebook_holds_script
{
    meta:
        symbol = "YARA_ONENOTE_SCRIPT"
        score = 8
        action = "quarantine"
        severity = "high"
        description = "A OneNote notebook with a program or script embedded in it"
        owner = "filterd"
        stage = "enforce"
    strings:
        $one = { E4 52 5C 7B 8C D8 A7 4D AE B1 53 78 D0 29 96 D3 }
        $file = { E7 16 E3 BD 65 26 11 45 A4 C4 8D 4D 0B 7A 9E AC }
        $program = { E7 16 E3 BD 65 26 11 45 A4 C4 8D 4D 0B 7A 9E AC [20] 4D 5A }
        $script_a = "WScript.Shell" nocase
        $script_b = "powershell" nocase
        $script_c = "<script" nocase
        $script_d = "CreateObject(" nocase
        $script_e = "cmd /c" nocase
        $script_f = "@echo off" nocase
        $script_g = "mshta" nocase
    condition:
        $one at 0 and $file and (any of ($script_*) or $program)
}

rule notebook_holds_file
{
    meta:
        symbol = "YARA_ONENOTE_FILE"
        score = 2
        severity = "low"
        description = "A OneNote notebook with an embedded file, from somebody unknown"
        owner = "filterd"
        stage = "score"
    strings:
        $one = { E4 52 5C 7B 8C D8 A7 4D AE B1 53 78 D0 29 96 D3 }
        $file = { E7 16 E3 BD 65 26 11 45 A4 C4 8D 4D 0B 7A 9E AC }
    condition:
        $one at 0 and $file and trust == "stranger"
}

rule shortcut_attached
{
    meta:
        symbol = "YARA_LNK"
        score = 5
        action = "quarantine"
        severity = "medium"
        description = "A Windows shortcut: it points into a computer, and nobody needs one by mail"
        owner = "filterd"
        stage = "enforce"
    strings:
        $clsid = { 01 14 02 00 00 00 00 00 C0 00 00 00 00 00 00 46 }
    condition:
        uint32(0) == 0x0000004C and $clsid at 4
}

rule shortcut_goes_abroad
{
    meta:
        symbol = "YARA_LNK_REMOTE"
        score = 7
        action = "quarantine"
        severity = "high"
        description = "A Windows shortcut that fetches from another computer"
        owner = "filterd"
        stage = "enforce"
    strings:
        $clsid = { 01 14 02 00 00 00 00 00 C0 00 00 00 00 00 00 46 }
        $place_a = "http://" ascii wide nocase
        $place_b = "https://" ascii wide nocase
        $place_c = "DavWWWRoot" ascii wide nocase
    condition:
        uint32(0) == 0x0000004C and $clsid at 4 and any of ($place_*)
}

rule web_shortcut_runs_file
{
    meta:
        symbol = "YARA_URL_FILE"
        score = 6
        action = "quarantine"
        severity = "high"
        description = "An internet shortcut that opens a file or program of another computer"
        owner = "filterd"
        stage = "enforce"
    strings:
        $head = "[InternetShortcut]" nocase
        $place_a = "URL=file:" nocase
        $place_b = "URL=\\\\" nocase
        $place_c = /URL=[^\r\n]{1,300}\.(exe|scr|js|vbs|hta|lnk|bat|cmd|cpl|msi|ps1)[\r\n]/ nocase
        $place_d = "URL=ms-" nocase
    condition:
        $head in (0..200) and any of ($place_*)
}

rule compiled_help_attached
{
    meta:
        symbol = "YARA_CHM"
        score = 5
        action = "quarantine"
        severity = "medium"
        description = "A compiled help file: it can run scripts when it is opened"
        owner = "filterd"
        stage = "enforce"
    strings:
        $itsf = "ITSF"
    condition:
        $itsf at 0 and size > 32
}

rule settings_file_runs_command
{
    meta:
        symbol = "YARA_SETTINGCONTENT"
        score = 7
        action = "quarantine"
        severity = "high"
        description = "A Windows settings link, which runs whatever command it names"
        owner = "filterd"
        stage = "enforce"
    strings:
        $settings = "<PCSettings>" nocase
        $link = "<DeepLink>" nocase
    condition:
        all of them
}

rule excel_addin_attached
{
    meta:
        symbol = "YARA_XLL"
        score = 8
        action = "quarantine"
        severity = "high"
        description = "An Excel add-in: a program that runs when it is opened"
        owner = "filterd"
        stage = "enforce"
    condition:
        extension == "xll" and uint16(0) == 0x5A4D
}
