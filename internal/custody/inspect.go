package custody

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"coffer/firmware-config"
	"coffer/internal/access"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/vault"
)

// Steps returns the questions that an inspection of a device must answer.
func (r *Register) Steps(d Device) ([]firmwareconfig.Step, error) {
	i, err := r.catalogue.Inspection(d.Profile)
	return i.Steps, err
}

// Inspect keeps an inspection of a device and reports whether the device has
// passed. One that has not is barred from taking payments until it passes.
// The photo may be empty.
func (r *Register) Inspect(ctx context.Context, agent access.Agent, id ident.ID[ident.Device], answers []Answer, photo []byte) (bool, error) {
	var jpeg []byte
	if len(photo) > 0 {
		var err error
		if jpeg, err = Photo(photo); err != nil {
			return false, err
		}
	}
	passed := false
	err := r.vault.Update(ctx, request(agent, access.CustodyWrite, id), func(tx *vault.Tx) error {
		row, err := rowOf(tx, id)
		if err != nil {
			return err
		}
		d := &row.Shared
		if d.Status == Retired || d.Status == Transit {
			return ErrStatus
		}
		i := Inspection{Device: id, At: tx.Now(), By: agent.Name(), Profile: d.Profile}
		if i.Answers, i.Passed, err = r.judgeAnswers(d, answers); err != nil {
			return err
		}
		passed = i.Passed
		d.Failed = !i.Passed
		if i.Passed {
			d.Inspected = tx.Now().UnixMicro()
		}
		if err := devices.Replace(tx, row); err != nil {
			return err
		}
		return keep(tx, d, i, jpeg)
	})
	return passed, r.done(err)
}

// keep adds an inspection and its photo.
func keep(tx *vault.Tx, d *device, i Inspection, jpeg []byte) error {
	if len(jpeg) > 0 {
		n, err := photos.Insert(tx, vault.Row[photoRecord, vault.None]{Shared: photoRecord{Device: d.ID, JPEG: jpeg}})
		if err != nil {
			return err
		}
		sum := sha256.Sum256(jpeg)
		i.Photo, i.Hash = n, hex.EncodeToString(sum[:])
		tx.Detail("photo", fault.Code(i.Hash))
	}
	result := "passed"
	if !i.Passed {
		result = "failed"
	}
	tx.Detail("inspection", fault.Code(result))
	tx.Detail("serial", fault.Code(d.Serial))
	_, err := inspections.Insert(tx, vault.Row[Inspection, vault.None]{Shared: i})
	return err
}

// judgeAnswers holds answers against the steps of the device's profile. A
// serial number that is not the register's fails.
func (r *Register) judgeAnswers(d *device, given []Answer) ([]Answer, bool, error) {
	steps, err := r.catalogue.Inspection(d.Profile)
	if err != nil {
		return nil, false, err
	}
	said := map[string]Answer{}
	for _, a := range given {
		said[a.Step] = a
	}
	passed, kept := true, []Answer(nil)
	for _, s := range steps.Steps {
		a, ok := said[s.ID]
		if err := texts(&a.Text); err != nil {
			return nil, false, err
		}
		asked := s.Note || s.Kind == firmwareconfig.StepSerial
		if !ok || asked && a.Text == "" {
			return nil, false, ErrAnswers
		}
		if s.Kind == firmwareconfig.StepSerial {
			a.OK = a.Text == d.Serial
		}
		passed = passed && a.OK
		kept = append(kept, a)
	}
	return kept, passed, nil
}
