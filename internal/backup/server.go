package backup

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path"
	"strings"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

const (
	dialTimeout    = 15 * time.Second // to a signed-in connection
	quietMax       = 60 * time.Second // longest silence of a server in the middle
	keyFileMax     = 64 << 10
	chunkToSFTP    = 1 << 20 // written at once, so that its packets travel together
	sftpFailure    = 4       // SSH_FX_FAILURE of draft-ietf-secsh-filexfer-02
	extensionFSync = "fsync@openssh.com"
)

// server is a directory on a machine that is reached by SFTP. The server's
// host key is pinned; the box signs in with a key of its own.
type server struct {
	address string
	user    string
	path    string
	hostKey ssh.PublicKey
	keyFile string
	quiet   time.Duration
}

// newServer reads the boot file's words.
func newServer(u *url.URL, c TargetConfig) (*server, error) {
	_, hasPassword := u.User.Password()
	if u.Hostname() == "" || u.User.Username() == "" || hasPassword || !path.IsAbs(u.Path) || path.Clean(u.Path) != u.Path ||
		u.RawQuery != "" || u.Fragment != "" || c.KeyFile == "" {
		return nil, ErrTarget
	}
	key, _, _, rest, err := ssh.ParseAuthorizedKey([]byte(c.HostKey))
	if err != nil || len(bytes.TrimSpace(rest)) > 0 {
		return nil, because(ErrTarget, err)
	}
	port := u.Port()
	if port == "" {
		port = "22"
	}
	return &server{net.JoinHostPort(u.Hostname(), port), u.User.Username(), u.Path, key, c.KeyFile, quietMax}, nil
}

// open connects and signs in.
func (s *server) open(ctx context.Context) (session, error) {
	signer, err := s.signer()
	if err != nil {
		return nil, err
	}
	dialing, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(dialing, "tcp", s.address)
	if err != nil {
		return nil, because(ErrTargetAbsent, err)
	}
	alive := &quietConn{conn, s.quiet}
	stop := context.AfterFunc(dialing, func() { alive.Conn.Close() }) // the only way to end a handshake
	session, err := s.signIn(alive, signer)
	if !stop() && err == nil {
		err = because(ErrTargetGone, dialing.Err())
	}
	if err != nil {
		return nil, first(err, ignoreClosed(conn.Close()))
	}
	session.stop = context.AfterFunc(ctx, func() { alive.Conn.Close() })
	return session, nil
}

// signIn speaks SSH and starts the server's SFTP.
func (s *server) signIn(conn net.Conn, signer ssh.Signer) (*remote, error) {
	seen := false // the host key was refused: not the same as being refused by the host
	config := &ssh.ClientConfig{
		User: s.user, Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyAlgorithms: algorithmsOf(s.hostKey), ClientVersion: "SSH-2.0-Coffer",
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			if !bytes.Equal(key.Marshal(), s.hostKey.Marshal()) {
				seen = true
				return ErrHostKey
			}
			return nil
		},
	}
	c, channels, requests, err := ssh.NewClientConn(conn, s.address, config)
	switch {
	case err == nil:
	case seen, strings.Contains(err.Error(), "host key"): // no common host key algorithm: it has none of the pinned kind
		return nil, because(ErrHostKey, err)
	case strings.Contains(err.Error(), "unable to authenticate"):
		return nil, because(ErrTargetRefused, err)
	default:
		return nil, because(ErrTargetGone, err)
	}
	client := ssh.NewClient(c, channels, requests)
	files, err := sftp.NewClient(client, sftp.UseConcurrentWrites(true), sftp.UseConcurrentReads(true))
	if err != nil {
		return nil, first(because(ErrTargetRefused, err), ignoreClosed(client.Close()))
	}
	return &remote{ssh: client, files: files, dir: s.path}, nil
}

// algorithmsOf names the algorithms by which a server can show the pinned key.
func algorithmsOf(key ssh.PublicKey) []string {
	if key.Type() == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return []string{key.Type()}
}

// signer reads the private key, which must be readable by its owner only.
func (s *server) signer() (ssh.Signer, error) {
	f, err := os.Open(s.keyFile)
	if err != nil {
		return nil, because(ErrTargetRefused, err)
	}
	defer f.Close() // opened for reading
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 || info.Size() > keyFileMax {
		return nil, because(ErrTargetRefused, err)
	}
	b, err := io.ReadAll(io.LimitReader(f, keyFileMax))
	if err != nil {
		return nil, because(ErrTargetRefused, err)
	}
	defer clear(b)
	signer, err := ssh.ParsePrivateKey(b)
	if err != nil {
		return nil, because(ErrTargetRefused, err)
	}
	return signer, nil
}

// quietConn ends a connection whose other side says nothing for too long.
type quietConn struct {
	net.Conn
	quiet time.Duration
}

func (c *quietConn) Read(b []byte) (int, error) {
	if err := c.Conn.SetReadDeadline(deadline(c.quiet)); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

func (c *quietConn) Write(b []byte) (int, error) {
	if err := c.Conn.SetWriteDeadline(deadline(c.quiet)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

// deadline is a moment of the network's clock, which is the system's.
func deadline(after time.Duration) time.Time { return time.Now().Add(after) }

// remote is the session with a server.
type remote struct {
	ssh   *ssh.Client
	files *sftp.Client
	dir   string
	stop  func() bool
}

func (r *remote) list() ([]fs.FileInfo, error) {
	infos, err := r.files.ReadDir(r.dir)
	return infos, serverFault(err)
}

func (r *remote) create(name string) (file, error) {
	at := path.Join(r.dir, name)
	f, err := r.files.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		if _, there := r.files.Lstat(at); there == nil { // SFTP version 3 has no code for "exists"
			return nil, because(ErrNameTaken, err)
		}
		return nil, serverFault(err)
	}
	return &remoteFile{f: f, client: r.files}, nil
}

func (r *remote) open(name string) (io.ReadCloser, error) {
	f, err := r.files.Open(path.Join(r.dir, name))
	if err != nil {
		return nil, serverFault(err)
	}
	return &remoteFile{f: f, client: r.files}, nil
}

// rename gives the file its final name. SFTP version 3 renames only where
// nothing of the new name is there.
func (r *remote) rename(from, to string) error {
	err := r.files.Rename(path.Join(r.dir, from), path.Join(r.dir, to))
	if err != nil {
		if _, there := r.files.Lstat(path.Join(r.dir, to)); there == nil {
			return because(ErrNameTaken, err)
		}
	}
	return serverFault(err)
}

func (r *remote) close() error {
	r.stop()
	return ignoreClosed(first(r.files.Close(), ignoreClosed(r.ssh.Close())))
}

// ignoreClosed passes over the error of closing what the other side closed.
func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// remoteFile collects small writes: each write travels as packets that are
// answered together.
type remoteFile struct {
	f      *sftp.File
	client *sftp.Client
	buf    []byte
}

func (f *remoteFile) Read(b []byte) (int, error) {
	n, err := f.f.Read(b)
	if err != nil && err != io.EOF {
		err = serverFault(err)
	}
	return n, err
}

func (f *remoteFile) Write(b []byte) (int, error) {
	f.buf = append(f.buf, b...)
	if len(f.buf) < chunkToSFTP {
		return len(b), nil
	}
	return len(b), f.flush()
}

func (f *remoteFile) flush() error {
	_, err := f.f.Write(f.buf)
	f.buf = f.buf[:0]
	return serverFault(err)
}

// Sync asks the server to make the file durable, where it knows how.
func (f *remoteFile) Sync() error {
	if err := f.flush(); err != nil {
		return err
	}
	if _, ok := f.client.HasExtension(extensionFSync); !ok {
		return nil
	}
	return serverFault(f.f.Sync())
}

func (f *remoteFile) Close() error { return serverFault(f.f.Close()) }

// serverFault returns the fault for an error of an SFTP session.
func serverFault(err error) error {
	var status *sftp.StatusError
	switch {
	case err == nil, Code(err) != "":
		return err
	case errors.Is(err, fs.ErrExist):
		return because(ErrNameTaken, err)
	case errors.Is(err, fs.ErrPermission):
		return because(ErrTargetRefused, err)
	case errors.Is(err, fs.ErrNotExist):
		return because(ErrTargetAbsent, err)
	case errors.As(err, &status) && status.Code == sftpFailure: // what OpenSSH answers to ENOSPC
		return because(ErrTargetFull, err)
	}
	return because(ErrTargetGone, err)
}
