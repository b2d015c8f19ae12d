package vault

import "flag"

// Full asks the tests for every byte and many more states, for some minutes.
var Full = flag.Bool("full", false, "flip every byte of a store, and cut the power in 200 commits")
