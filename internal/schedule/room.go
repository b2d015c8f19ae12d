package schedule

import (
	"context"
	"unicode/utf8"

	"coffer/internal/access"
	"coffer/internal/fault"
	"coffer/internal/vault"
)

// Room is a place where a therapist and a client meet.
type Room struct {
	Code  string `cbor:"1,keyasint"` // 1 to 8 letters, digits or hyphens; never changes
	Label string `cbor:"2,keyasint"` // what people call it, up to 40 letters
}

type roomRow = vault.Row[Room, vault.None]

var rooms = vault.NewTable(vault.BucketRooms,
	vault.NewIndex("code", func(r roomRow) []string { return []string{r.Shared.Code} }))

// AddRoom makes a room known.
func (s *Schedule) AddRoom(ctx context.Context, agent access.Agent, r Room) error {
	return s.vault.Update(ctx, request(agent, access.RoomWrite, access.None), func(tx *vault.Tx) error {
		return AddRoom(tx, r)
	})
}

// AddRoom makes a room known, within a transaction that is allowed room.write.
func AddRoom(tx *vault.Tx, r Room) error {
	if !validCode(r.Code) || r.Label == "" || utf8.RuneCountInString(r.Label) > 40 {
		return fault.New(fault.Invalid, "A room has a code of up to 8 letters and digits and a name of up to 40 letters.")
	}
	if _, taken, err := rooms.First(tx, "code", r.Code); err != nil {
		return err
	} else if taken {
		return fault.New(fault.Conflict, "There is already a room with this code. Choose another code.")
	}
	_, err := rooms.Insert(tx, roomRow{Shared: r})
	return err
}

func validCode(code string) bool {
	for _, r := range code {
		if (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '-' {
			return false
		}
	}
	return len(code) >= 1 && len(code) <= 8
}

// Rooms returns all rooms, in the order in which they were made known.
func Rooms(tx *vault.Tx) ([]Room, error) {
	var all []Room
	for row, err := range rooms.All(tx) {
		if err != nil {
			return nil, err
		}
		all = append(all, row.Shared)
	}
	return all, nil
}

func checkRoom(tx *vault.Tx, code string) error {
	if code == "" {
		return nil
	}
	_, ok, err := rooms.First(tx, "code", code)
	if err == nil && !ok {
		err = fault.New(fault.Invalid, "There is no such room. Choose a room of the list.")
	}
	return err
}
