package vault

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"coffer/internal/audit"
	"coffer/internal/fault"
)

// JournalState says what coffer.journal was good for when the store was
// opened.
type JournalState string

// What coffer.journal can be.
const (
	JournalKnown   JournalState = "known"   // it fits the store, or brought back what the store had lost
	JournalMissing JournalState = "missing" // there was none
	JournalBehind  JournalState = "behind"  // it ended before the store's commit, as after a power cut, and was begun anew
	JournalForeign JournalState = "foreign" // it was damaged or of another store, and was set aside
)

// Healed names the commits that an opening brought back from the journal; both
// are zero when there were none.
type Healed struct{ From, To uint64 }

// journalFound is what the journal files hold for a store.
type journalFound struct {
	state  JournalState
	newest journalFile
	active bool // newest is coffer.journal, not a completed segment
	key    *journalKey
	frames []frame // that follow the store's commit
	bad    bool    // what follows its frames is damage
}

// journalPaths returns the journal files in dir, oldest first, and whether
// coffer.journal is the last of them.
func journalPaths(dir string) (paths []string, active bool, err error) {
	paths, err = segmentPaths(dir)
	if err != nil {
		return nil, false, err
	}
	path := filepath.Join(dir, journalName)
	switch _, err := os.Lstat(path); {
	case err == nil:
		return append(paths, path), true, nil
	case errors.Is(err, os.ErrNotExist):
		return paths, false, nil
	default:
		return nil, false, diskFault(err)
	}
}

// segmentPaths returns the completed segments in dir, oldest first.
func segmentPaths(dir string) ([]string, error) {
	all, err := os.ReadDir(dir)
	if err != nil {
		return nil, diskFault(err)
	}
	var paths []string
	for _, e := range all {
		number, ok := strings.CutPrefix(e.Name(), journalName+".")
		if ok && len(number) == 20 && strings.Trim(number, "0123456789") == "" {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths, nil // ReadDir sorts, and the numbers have one length
}

// readJournalAt reads one journal file.
func (v *Vault) readJournalAt(path string, base tag) (journalFile, *journalKey, error) {
	f, err := openRegular(path, os.O_RDONLY)
	if err != nil {
		return journalFile{}, nil, diskFault(err)
	}
	j, key, err := v.readOpenJournal(f, base)
	return j, key, cmp.Or(err, diskFault(f.Close()))
}

func (v *Vault) readOpenJournal(f *os.File, base tag) (journalFile, *journalKey, error) {
	info, err := f.Stat()
	if err != nil {
		return journalFile{}, nil, diskFault(err)
	}
	generation, ok := generationOf(f)
	if !ok {
		return journalFile{}, nil, errForeign
	}
	root, ok := v.keys.at(generation)
	if !ok {
		return journalFile{}, nil, errForeign
	}
	j, err := readJournal(f, info.Size(), root.journal, base)
	return j, root.journal, err
}

// findJournal reads the journal files back to the commit whose meta record has
// the tag base.
func (v *Vault) findJournal(base tag, seq uint64) (journalFound, error) {
	paths, active, err := journalPaths(v.options.Dir)
	if err != nil || len(paths) == 0 {
		return journalFound{state: JournalMissing}, err
	}
	var files []journalFile
	found := journalFound{state: JournalForeign, active: active}
	from := len(paths)
	for from > 0 {
		j, key, err := v.readJournalAt(paths[from-1], base)
		if errors.Is(err, errForeign) || err == nil && len(files) > 0 && files[0].before != j.last {
			break
		} else if err != nil {
			return found, err
		}
		if from--; len(files) == 0 {
			found.newest, found.key = j, key
		}
		files = slices.Insert(files, 0, j)
		if len(j.frames) > 0 || j.first != 0 && j.seq <= seq {
			break
		}
	}
	switch {
	case len(files) == 0:
		return found, nil
	case len(files[0].frames) > 0:
		found.state = JournalKnown
		err = v.addFrames(&found, paths[from+1:], files)
	case found.newest.meta == base || found.newest.first == 0:
		found.state = JournalKnown
	case found.newest.seq <= seq:
		found.state = JournalBehind
	}
	return found, err
}

// badFrame reports whether what follows the authentic frames of coffer.journal
// is no torn frame: a power cut leaves at most one, of a commit that nobody was
// told of and that is next at most.
func (v *Vault) badFrame(found journalFound, next uint64) (bad bool, err error) {
	confirmed, _, err := LastKnown(v.options.Dir)
	if err != nil || !found.active || found.newest.end == 0 {
		return false, err
	}
	f, err := openRegular(filepath.Join(v.options.Dir, journalName), os.O_RDONLY)
	if err != nil {
		return false, diskFault(err)
	}
	var head [frameHeadBytes]byte
	_, err = f.ReadAt(head[:], found.newest.end)
	if err == io.EOF {
		return false, diskFault(f.Close())
	}
	seq := binary.BigEndian.Uint64(head[4:])
	return seq != 0 && (seq <= confirmed || seq > next), diskFault(cmp.Or(err, f.Close()))
}

// addFrames adds the frames of the files after the one that has the store's
// commit.
func (v *Vault) addFrames(found *journalFound, paths []string, files []journalFile) error {
	found.frames = files[0].frames
	for i, path := range paths {
		j, _, err := v.readJournalAt(path, files[i].meta)
		if err != nil {
			return err
		}
		found.frames = append(found.frames, j.frames...)
	}
	return nil
}

// replay puts the frames into the store file with one commit.
func (v *Vault) replay(h headPage, frames []frame) error {
	if err := cmp.Or(v.unseal(), v.openBolt(h.txid)); err != nil {
		return err
	}
	p, err := beginPages(v.db, true)
	if err == nil {
		if err = writeFrames(p, frames); err != nil {
			err = cmp.Or(err, p.close())
		} else {
			err = p.commit()
		}
	}
	err = cmp.Or(err, v.closeBolt())
	v.db = nil
	return diskFault(err)
}

// writeFrames writes what the frames leave: of each place the last value.
func writeFrames(p *pages, frames []frame) error {
	var all staging
	for _, f := range frames {
		for _, w := range f.writes {
			all.add(w)
		}
	}
	for _, w := range all.writes {
		if err := p.write(w); err != nil {
			return err
		}
	}
	return nil
}

// verified is a store file at the commit that will be opened.
type verified struct {
	*scanned
	head headPage
}

// verify reads both head pages and everything under the newer one.
func (v *Vault) verify() (verified, heads, error) {
	size, err := v.fileBytes()
	if err != nil {
		return verified{}, heads{}, err
	}
	h, err := readHeads(v.file, size)
	if err != nil {
		return verified{}, h, err
	}
	s, err := scan(v.file, h.newest, v.keys, v.options.Tables, nil)
	return verified{s, h.newest}, h, err
}

// verifyAndHeal verifies the file. What it lost, or what is damaged in its
// newest commit, is taken from the journal, and the result verified again.
func (v *Vault) verifyAndHeal() (verified, error) {
	s, h, err := v.verifySealed()
	v.torn = h.torn
	if errors.Is(err, ErrAltered) {
		return s, err
	}
	if err != nil {
		if s, err = v.revert(h, err); err != nil {
			return s, err
		}
		v.torn = true
	}
	found, err := v.findJournal(s.state.metaTag, s.state.seq)
	if err != nil {
		return s, err
	}
	if found.bad, err = v.badFrame(found, max(s.state.seq, s.state.lost, found.newest.seq)+1); err != nil {
		return s, err
	}
	if v.journalState = found.state; found.bad {
		v.journalState = JournalForeign
	}
	if len(found.frames) > 0 {
		v.healed = Healed{found.frames[0].seq, found.frames[len(found.frames)-1].seq}
		if err := v.replay(s.head, found.frames); err != nil {
			return s, err
		}
		if s, _, err = v.verify(); err != nil {
			return s, err
		}
		if s.state.metaTag != found.newest.meta {
			return s, ErrJournal
		}
	} else if found.state == JournalForeign && found.newest.seq > s.state.seq {
		v.witnessed = found.newest.seq
	}
	return s, v.resumeJournal(found, s.state.root.journal)
}

// revert goes back to the older head page when what is under the newer one is
// damaged, provided that the journal has what is lost by that.
func (v *Vault) revert(h heads, cause error) (verified, error) {
	if h.torn || h.older.root == 0 || fault.KindOf(cause) != fault.Corrupt {
		return verified{}, cause
	}
	s, err := scan(v.file, h.older, v.keys, v.options.Tables, nil)
	if err != nil {
		return verified{}, cause
	}
	found, err := v.findJournal(s.state.metaTag, s.state.seq)
	if err != nil || len(found.frames) == 0 {
		return verified{}, cause
	}
	v.options.Log.LogAttrs(context.Background(), slog.LevelError, "the newest commit of the store file is damaged: it is taken from the journal",
		slog.Uint64("sequence", s.state.seq), slog.String("detail", Detail(cause)))
	if err := v.unseal(); err != nil {
		return verified{}, err
	}
	v.reverted = Detail(cause)
	_, err = v.file.WriteAt(make([]byte, pageBytes), int64(h.newest.txid%2)*pageBytes)
	return verified{s, h.older}, diskFault(cmp.Or(err, v.file.Sync()))
}

// resumeJournal makes the journal ready for the next frame.
func (v *Vault) resumeJournal(found journalFound, key *journalKey) error {
	if v.options.NoSync {
		return nil // it falls behind, and is begun anew by the next opening
	}
	dir, path := v.options.Dir, filepath.Join(v.options.Dir, journalName)
	var err error
	var before tag
	switch {
	case v.journalState == JournalForeign && found.active:
		err = setAside(dir)
	case found.state == JournalBehind && found.active:
		err = os.Rename(path, segmentPath(dir, found.newest.first))
	case found.state != JournalKnown:
	case found.active && found.key.generation == key.generation:
		v.journal, err = resumeFile(path, dir, key, found.newest)
		return diskFault(err)
	case found.active && found.newest.first != 0:
		err = os.Rename(path, segmentPath(dir, found.newest.first))
	default:
		before = found.newest.last
	}
	if err != nil {
		return diskFault(err)
	}
	v.journal, err = startJournal(dir, key, before)
	return err
}

// resumeFile opens coffer.journal and cuts what follows its last frame.
func resumeFile(path, dir string, key *journalKey, j journalFile) (*journal, error) {
	f, err := openRegular(path, os.O_RDWR)
	if err != nil {
		return nil, err
	}
	if err := cmp.Or(f.Truncate(j.end), f.Sync()); err != nil {
		return nil, cmp.Or(err, f.Close())
	}
	return &journal{key: key, dir: dir, file: f, end: j.end, ahead: j.end, first: j.first, last: j.last, synced: make(chan error, 1)}, nil
}

// setAside keeps a journal that does not fit under another name.
func setAside(dir string) error {
	for n := 1; ; n++ {
		aside := filepath.Join(dir, fmt.Sprintf("%s.%d", asideName, n))
		if _, err := os.Lstat(aside); errors.Is(err, os.ErrNotExist) {
			return os.Rename(filepath.Join(dir, journalName), aside)
		} else if err != nil {
			return err
		}
	}
}

// dropSegments removes the oldest completed segments until the others fit.
func dropSegments(dir string) error {
	paths, err := segmentPaths(dir)
	if err != nil {
		return err
	}
	slices.Reverse(paths)
	var kept int64
	for _, path := range paths {
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		if kept += info.Size(); kept > segmentsKeep {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// healingFacts are what the opening's event says of the journal.
func (v *Vault) healingFacts() []audit.Detail {
	var facts []audit.Detail
	if v.healed.To != 0 {
		facts = append(facts, audit.Detail{Key: factHealed, Value: fmt.Sprintf("%d-%d", v.healed.From, v.healed.To)})
		v.options.Log.LogAttrs(context.Background(), slog.LevelWarn, "commits that the store file had lost were taken from the journal",
			slog.Uint64("from", v.healed.From), slog.Uint64("to", v.healed.To))
	}
	if v.reverted != "" {
		facts = append(facts, audit.Detail{Key: factDamaged, Value: v.reverted})
	}
	if v.journalState != JournalKnown {
		facts = append(facts, audit.Detail{Key: factJournal, Value: string(v.journalState)})
	}
	if v.journalState == JournalForeign {
		v.options.Log.LogAttrs(context.Background(), slog.LevelError, "coffer.journal did not fit the store and was set aside")
	}
	return facts
}

const (
	factDamaged = "damaged" // what was found under the newest head page, in words of the program
	factHealed  = "healed"  // commits that were taken from the journal, "17-18"
	factJournal = "journal" // a JournalState other than known
)
