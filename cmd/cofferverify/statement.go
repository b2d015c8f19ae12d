package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"coffer/internal/audit"
	"coffer/internal/fault"
)

// statementBytesMax bounds what is read of a file that is a statement.
const statementBytesMax = 128 << 10

// statement returns what a file holds if it begins as a statement; nil if it
// does not, or is standard input.
func statement(path string) ([]byte, error) {
	if path == "-" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // it was only read
	head := make([]byte, len(audit.StatementHead))
	if n, err := io.ReadFull(f, head); err != nil || string(head[:n]) != audit.StatementHead {
		return nil, nil // what can't be read is said when it is read as an export
	}
	rest, err := io.ReadAll(io.LimitReader(f, statementBytesMax))
	return append(head, rest...), err
}

// showStatement verifies a statement, prints what it says and by whom, and
// returns the exit status.
func showStatement(w, talk io.Writer, o options, b []byte, err error) int {
	if err != nil {
		fmt.Fprintf(talk, "cofferverify: %v\n", err)
		return exitUsage
	}
	text, keys, err := audit.OpenStatement(b)
	if err != nil {
		fmt.Fprintf(w, "WRONG        %s\nResult       DON'T TRUST THIS STATEMENT. Keep the file as it is.\n", fault.Message(err))
		return exitWrong
	}
	for line := range strings.Lines(text) {
		fmt.Fprintf(w, "             %s", line)
	}
	showKeys(w, o, audit.Report{Keys: keys})
	signing, attestation := keys.Fingerprints()
	for _, k := range o.trust.Keys {
		if !slices.Contains([]string{signing, attestation}, k) {
			fmt.Fprintf(w, "WRONG        the key %s did not sign it\nResult       DON'T TRUST THIS STATEMENT. Keep the file as it is.\n", k)
			return exitWrong
		}
	}
	fmt.Fprintln(w, "Result       The box with these keys said so.")
	return exitOK
}
