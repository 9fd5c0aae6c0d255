var shell = new ActiveXObject("WScript.Shell"); // harmless: it does nothing with it
