// Command cofferverify checks an export of an audit trail, or a signed statement
// of what a box holds, on any machine: it needs no network, no box and no
// secret. What it checks is written in the export itself
// (internal/audit/VERIFY.md).
//
// It reads the export once from front to back, believes nothing in it, keeps
// a few megabytes however long the file is (an encrypted one takes 256 MiB
// more for the passphrase), and writes nothing but its report. What it trusts
// are the fingerprints given by --key, and the older checkpoint given by
// --against; without them it says what is left to compare by eye.
//
// Exit status: 0 nothing wrong was found, 7 something was, 2 wrong usage or a
// file that can't be read.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"coffer/internal/audit"
)

// Exit statuses.
const (
	exitOK    = 0
	exitUsage = 2
	exitWrong = 7
)

const usage = `usage: cofferverify FILE [--key KEY]... [--against OLD-CHECKPOINT]

Checks an export of Coffer's audit trail, or a signed statement of a box
(cofferctl scope prove). FILE may be - for an export on standard input.

  --key KEY      a key that must have signed the last checkpoint: its
                 fingerprint (64 hexadecimal digits) or its verifier line, as
                 on the recovery sheet; may be given twice
  --against OLD  a file with an older checkpoint, or an older export, which the
                 trail must contain

An encrypted export asks for its passphrase: on the terminal, or as the first
line of standard input.
`

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// options are what the command line asks for.
type options struct {
	file    string
	against string
	trust   audit.Trust
}

func run(args []string, stdin *os.File, stdout, stderr io.Writer) int {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, usage)
		return exitOK
	}
	if err != nil {
		fmt.Fprintf(stderr, "cofferverify: %v\n\n%s", err, usage)
		return exitUsage
	}
	if text, err := statement(o.file); text != nil || err != nil {
		return showStatement(stdout, stderr, o, text, err)
	}
	report, err := verify(o, stdin, stderr)
	if err != nil {
		fmt.Fprintf(stderr, "cofferverify: %v\n", err)
		return exitUsage
	}
	return show(stdout, o, report)
}

// parse reads the command line; options may stand before or behind FILE.
func parse(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("cofferverify", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&o.against, "against", "", "")
	f.Func("key", "", func(text string) error {
		k, err := fingerprintOf(text)
		o.trust.Keys = append(o.trust.Keys, k)
		return err
	})
	for {
		if err := f.Parse(args); err != nil {
			return o, err
		}
		if f.NArg() == 0 {
			break
		}
		if o.file != "" {
			return o, errors.New("name one file")
		}
		o.file, args = f.Arg(0), f.Args()[1:]
	}
	if o.file == "" {
		return o, errors.New("name the file to verify")
	}
	return o, nil
}

// fingerprintOf reads a fingerprint, or a verifier line of a signing key.
func fingerprintOf(text string) (string, error) {
	hex := strings.ToLower(strings.NewReplacer(":", "", " ", "").Replace(text))
	if len(hex) == 64 && strings.Trim(hex, "0123456789abcdef") == "" {
		return hex, nil
	}
	k, err := audit.ParseKeys(strings.TrimSuffix(text, "\n") + "\n")
	if err != nil {
		return "", errors.New("the key is neither 64 hexadecimal digits nor a verifier line")
	}
	signing, _ := k.Fingerprints()
	return signing, nil
}

// againstBytesMax bounds an older checkpoint, and the line that holds it.
const againstBytesMax = 16 << 10

// verify opens the files and verifies the export.
func verify(o options, stdin *os.File, prompt io.Writer) (audit.Report, error) {
	if o.against != "" {
		old, err := olderCheckpoint(o.against)
		if err != nil {
			return audit.Report{}, err
		}
		o.trust.Against = old
	}
	in := stdin
	if o.file != "-" {
		f, err := os.Open(o.file)
		if err != nil {
			return audit.Report{}, err
		}
		defer f.Close() // it was only read
		in = f
	}
	r, err := decrypted(in, stdin, prompt)
	if err != nil {
		return audit.Report{}, err
	}
	return audit.VerifyExport(r, o.trust)
}

// olderCheckpoint reads an older checkpoint: a file that is one, or the last
// one in an older export that is not encrypted.
func olderCheckpoint(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // it was only read
	in := bufio.NewReaderSize(f, againstBytesMax)
	head, err := in.Peek(len(exportBegins))
	switch {
	case len(head) == 0 && err == io.EOF:
		return nil, errors.New("the older checkpoint is empty")
	case err != nil && err != io.EOF:
		return nil, err
	case string(head) != exportBegins:
		return io.ReadAll(io.LimitReader(in, againstBytesMax))
	}
	return lastCheckpoint(in)
}

// How an export begins, and a line of it that is a checkpoint.
const exportBegins, checkpointBegins = `{"export":`, `{"checkpoint":`

// lastCheckpoint returns the last checkpoint of an export, of which nothing
// else is looked at.
func lastCheckpoint(in *bufio.Reader) ([]byte, error) {
	var last struct {
		Checkpoint string `json:"checkpoint"`
	}
	for {
		line, err := in.ReadSlice('\n')
		if bytes.HasPrefix(line, []byte(checkpointBegins)) && err == nil {
			if err := json.Unmarshal(line, &last); err != nil {
				return nil, errors.New("a checkpoint of the older export can't be read")
			}
		}
		switch {
		case err == io.EOF && last.Checkpoint == "":
			return nil, errors.New("the older export has no checkpoint")
		case err == io.EOF:
			return []byte(last.Checkpoint), nil
		case err != nil && err != bufio.ErrBufferFull:
			return nil, err
		}
	}
}
