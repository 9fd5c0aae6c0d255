rule eicar_test_file
{
    meta:
        symbol = "YARA_EICAR"
        score = 20
        action = "reject"
        severity = "high"
        description = "The EICAR test file: harmless, and meant to be found"
        owner = "filterd"
        stage = "enforce"
    strings:
        // Written as a regular expression, so that this file itself is not taken for it.
        $eicar = /X5O!P%@AP\[4\\PZX54\(P\^\)7CC\)7\}\$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!\$H\+H\*/
    condition:
        $eicar in (0..255)
}
