"""The jail: where files of strangers are parsed and their networks run."""
