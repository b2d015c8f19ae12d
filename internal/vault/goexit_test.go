package vault_test

import "runtime"

func goexit() { runtime.Goexit() }
