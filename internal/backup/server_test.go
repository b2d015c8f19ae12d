package backup

import (
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// sftpServer is where Debian's openssh-sftp-server is.
const sftpServer = "/usr/lib/openssh/sftp-server"

// nas is an SSH server on the loopback that runs the real SFTP server.
type nas struct {
	dir     string
	config  TargetConfig
	address string
	mu      sync.Mutex
	running []*exec.Cmd
	conns   []net.Conn
}

func newKey(t *testing.T) (ssh.Signer, []byte) {
	t.Helper()
	_, private, _ := ed25519.GenerateKey(nil) // crypto/rand does not fail
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer, pem.EncodeToMemory(block)
}

// newNAS starts the server; it ends with the test.
func newNAS(t *testing.T) *nas {
	t.Helper()
	host, _ := newKey(t)
	client, file := newKey(t)
	n := &nas{dir: t.TempDir()}
	keyFile := filepath.Join(t.TempDir(), "id")
	if err := os.WriteFile(keyFile, file, 0o600); err != nil {
		t.Fatal(err)
	}
	config := &ssh.ServerConfig{PublicKeyCallback: func(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if c.User() != "coffer" || string(key.Marshal()) != string(client.PublicKey().Marshal()) {
			return nil, errors.New("unknown key")
		}
		return nil, nil
	}}
	config.AddHostKey(host)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n.address = l.Addr().String()
	n.config = TargetConfig{
		Target:  fmt.Sprintf("sftp://coffer@%s%s", l.Addr(), n.dir),
		HostKey: strings.TrimSpace(string(ssh.MarshalAuthorizedKey(host.PublicKey()))), KeyFile: keyFile,
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n.mu.Lock()
			n.conns = append(n.conns, c)
			n.mu.Unlock()
			serving.Go(func() { n.serve(c, config) })
		}
	})
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		n.cut()
		serving.Wait()
	})
	return n
}

func (n *nas) serve(c net.Conn, config *ssh.ServerConfig) {
	defer c.Close()
	_, channels, requests, err := ssh.NewServerConn(c, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for ch := range channels {
		channel, requests, err := ch.Accept()
		if err != nil {
			return
		}
		go func() {
			for r := range requests {
				_ = r.Reply(r.Type == "subsystem", nil) // the client sees a broken connection
			}
		}()
		n.run(channel)
	}
}

// run is one SFTP server, for as long as its client stays.
func (n *nas) run(channel ssh.Channel) {
	defer channel.Close()
	cmd := exec.Command(sftpServer)
	cmd.Stdout = channel
	in, err := cmd.StdinPipe()
	if err != nil {
		return
	}
	go func() {
		_, _ = io.Copy(in, channel) // ends when either side does
		_ = in.Close()
	}()
	n.mu.Lock()
	n.running = append(n.running, cmd)
	err = cmd.Start()
	n.mu.Unlock()
	if err == nil {
		_ = cmd.Wait() // killed by the test, or at the end of its input
	}
}

// kill ends every SFTP server, as a crash of it would.
func (n *nas) kill() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.running {
		_ = c.Process.Kill() // perhaps it has ended
	}
}

// cut breaks every connection.
func (n *nas) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.conns {
		_ = c.Close() // perhaps it has ended
	}
}

func TestSFTP(t *testing.T) {
	n := newNAS(t)
	conforms(t, target(t, n.config), n.dir)
}

func TestSFTPServerIsAnother(t *testing.T) {
	n, other := newNAS(t), newNAS(t)
	c := n.config
	c.HostKey = other.config.HostKey
	if _, _, err := target(t, c).List(t.Context()); !errors.Is(err, ErrHostKey) {
		t.Fatal(err)
	}
}

func TestSFTPServerOfAnotherKindOfKey(t *testing.T) {
	n := newNAS(t)
	c := n.config
	c.HostKey = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7opKgwFB9nkt5YRrYMjNuG5N87uRgg6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg="
	if _, _, err := target(t, c).List(t.Context()); !errors.Is(err, ErrHostKey) {
		t.Fatal(err)
	}
}

func TestSFTPKeyIsRefused(t *testing.T) {
	n, other := newNAS(t), newNAS(t)
	c := n.config
	c.KeyFile = other.config.KeyFile
	if _, _, err := target(t, c).List(t.Context()); !errors.Is(err, ErrTargetRefused) {
		t.Fatal(err)
	}
	if err := os.Chmod(n.config.KeyFile, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := target(t, n.config).List(t.Context()); !errors.Is(err, ErrTargetRefused) {
		t.Fatalf("a key that everybody can read: %v", err)
	}
}

func TestSFTPServerIsOff(t *testing.T) {
	n := newNAS(t)
	c := n.config
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.Target = fmt.Sprintf("sftp://coffer@%s%s", l.Addr(), n.dir)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := target(t, c).List(t.Context()); !errors.Is(err, ErrTargetAbsent) {
		t.Fatal(err)
	}
}

// TestSFTPServerDies: killed, or its network cut, in the middle of a backup.
func TestSFTPServerDies(t *testing.T) {
	for name, die := range map[string]func(*nas){"killed": (*nas).kill, "cut": (*nas).cut} {
		t.Run(name, func(t *testing.T) {
			n := newNAS(t)
			g := target(t, n.config)
			err := g.add(t.Context(), someName(1), func(w io.Writer) error {
				block := make([]byte, 256<<10)
				for i := range 400 {
					if i == 8 {
						die(n)
					}
					if _, err := w.Write(block); err != nil {
						return err
					}
				}
				return nil
			})
			if !errors.Is(err, ErrTargetGone) {
				t.Fatal(err)
			}
			if _, err := os.Lstat(filepath.Join(n.dir, someName(1).String())); !errors.Is(err, os.ErrNotExist) {
				t.Fatal("what was cut off counts as a backup")
			}
		})
	}
}

// TestSFTPServerFallsSilent: a server that takes the connection and says
// nothing does not hang the box.
func TestSFTPServerFallsSilent(t *testing.T) {
	n := newNAS(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := n.config
	c.Target = fmt.Sprintf("sftp://coffer@%s%s", l.Addr(), n.dir)
	g := target(t, c)
	quick(t, g, c)
	if _, _, err := g.List(t.Context()); !errors.Is(err, ErrTargetGone) {
		t.Fatal(err)
	}
}

// quick makes the target's server impatient.
func quick(t *testing.T, g *Target, c TargetConfig) {
	t.Helper()
	u, err := url.Parse(c.Target)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newServer(u, c)
	if err != nil {
		t.Fatal(err)
	}
	s.quiet = 100 * time.Millisecond
	g.dial = s.open
}
