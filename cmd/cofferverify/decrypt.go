package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"filippo.io/age"
	"golang.org/x/term"
)

// ageHead is how a file begins that age has encrypted.
const ageHead = "age-encryption.org/v1\n"

// workMax bounds what a file may ask of the machine to try a passphrase:
// scrypt with N = 2^18 takes 256 MiB. It is what age writes.
const workMax = 18

var errPassphrase = errors.New("the passphrase is wrong, or the file is damaged")

// decrypted returns the export in the clear: as it is, or through age.
func decrypted(in io.Reader, stdin *os.File, prompt io.Writer) (io.Reader, error) {
	b := bufio.NewReaderSize(in, 64<<10)
	head, err := b.Peek(len(ageHead))
	if string(head) != ageHead {
		if err != nil && err != io.EOF {
			return nil, err
		}
		return b, nil
	}
	if in == io.Reader(stdin) {
		return nil, errors.New("an encrypted export must be a file: standard input is for the passphrase")
	}
	passphrase, err := ask(stdin, prompt)
	if err != nil {
		return nil, err
	}
	id, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, errPassphrase
	}
	id.SetMaxWorkFactor(workMax)
	r, err := age.Decrypt(b, id)
	if err != nil {
		return nil, errPassphrase
	}
	return r, nil
}

// ask reads the passphrase from the terminal without showing it, or from the
// first line of standard input.
func ask(stdin *os.File, prompt io.Writer) (string, error) {
	if fd := int(stdin.Fd()); term.IsTerminal(fd) {
		fmt.Fprint(prompt, "Passphrase of the export: ")
		b, err := term.ReadPassword(fd)
		fmt.Fprintln(prompt)
		return string(b), err
	}
	line, err := bufio.NewReader(io.LimitReader(stdin, 1<<10)).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}
