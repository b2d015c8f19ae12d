package custody

import (
	"slices"
	"time"

	"coffer/internal/civil"
	"coffer/internal/ident"
	"coffer/internal/terminal/protocol"
	"coffer/internal/vault"
)

// Status is where a device stands, in the words of the P2PE Instruction
// Manual's inventory.
type Status string

// The statuses.
const (
	Deployed Status = "deployed"
	Awaiting Status = "awaiting" // deployment
	Repair   Status = "repair"   // undergoing repair, or otherwise not in use
	Transit  Status = "transit"
	Retired  Status = "retired" // for ever
)

// What happened to a device.
type What string

// The entries of the custody log.
const (
	Received   What = "received"
	Paired     What = "deployed"
	Moved      What = "moved"
	Sent       What = "sent" // for repair, or to another place
	Returned   What = "returned"
	SwappedIn  What = "swapped_in"
	SwappedOut What = "swapped_out"
	Accepted   What = "accepted" // its software
	GivenUp    What = "retired"
)

// Version is a state of a device's software, as it states it.
type Version struct {
	App   string `cbor:"1,keyasint,omitempty" json:"app"`
	OS    string `cbor:"2,keyasint,omitempty" json:"os"`
	First int64  `cbor:"3,keyasint" json:"-"` // seen first, in microseconds since 1970
}

func (v Version) is(d protocol.Device) bool { return v.App == d.App && v.OS == d.OS }

// device is one device on the register.
type device struct {
	ID        ident.ID[ident.Device]   `cbor:"1,keyasint"`
	Serial    string                   `cbor:"2,keyasint"`
	Profile   string                   `cbor:"3,keyasint"`
	Vendor    string                   `cbor:"4,keyasint"`
	Model     string                   `cbor:"5,keyasint"`
	Stated    string                   `cbor:"6,keyasint,omitempty"` // model, as it stated it when it was paired
	Status    Status                   `cbor:"7,keyasint"`
	Location  string                   `cbor:"8,keyasint,omitempty"`
	Terminal  ident.ID[ident.Terminal] `cbor:"9,keyasint"`            // connection at which it is deployed
	Name      string                   `cbor:"10,keyasint,omitempty"` // of that connection
	Solution  string                   `cbor:"11,keyasint,omitempty"` // reference of the P2PE solution
	Keys      string                   `cbor:"12,keyasint,omitempty"` // date of the key injection, 2006-01-02
	Seen      []Version                `cbor:"13,keyasint"`           // oldest first; the last is the present one
	Accepted  []Version                `cbor:"14,keyasint"`
	Failed    bool                     `cbor:"15,keyasint,omitempty"` // its last inspection
	Inspected int64                    `cbor:"16,keyasint,omitempty"` // passed last, microseconds since 1970
	Since     int64                    `cbor:"17,keyasint"`           // of the status
}

// runs returns the software that the device stated last.
func (d *device) runs() protocol.Device {
	if len(d.Seen) == 0 {
		return protocol.Device{}
	}
	v := d.Seen[len(d.Seen)-1]
	return protocol.Device{Serial: d.Serial, Model: d.Stated, App: v.App, OS: v.OS}
}

// due returns the day by which the device must be inspected.
func (d *device) due(p Policy, zone *time.Location) civil.Date {
	return civil.Of(time.UnixMicro(max(d.Inspected, d.Since)).In(zone)).AddDays(p.Days)
}

// overdue reports whether a deployed device should have been inspected before
// today.
func (d *device) overdue(p Policy, now time.Time) bool {
	return d.Status == Deployed && d.due(p, now.Location()) < civil.Of(now)
}

// accepts reports whether somebody has accepted this software of the device.
func (d *device) accepts(wire protocol.Device) bool {
	return slices.ContainsFunc(d.Accepted, func(v Version) bool { return v.is(wire) })
}

// Entry is one line of the custody log. Lines are never changed.
type Entry struct {
	Device     ident.ID[ident.Device] `cbor:"1,keyasint" json:"device"`
	At         time.Time              `cbor:"2,keyasint" json:"at"`
	By         string                 `cbor:"3,keyasint" json:"by"` // sign-in name
	What       What                   `cbor:"4,keyasint" json:"what"`
	Status     Status                 `cbor:"5,keyasint" json:"status"` // after it
	Location   string                 `cbor:"6,keyasint,omitempty" json:"location,omitempty"`
	Terminal   string                 `cbor:"7,keyasint,omitempty" json:"terminal,omitempty"` // name of the connection
	Tracking   string                 `cbor:"8,keyasint,omitempty" json:"tracking,omitempty"` // number of the shipment
	Bag        string                 `cbor:"9,keyasint,omitempty" json:"bag,omitempty"`      // number of the tamper-evident bag, compared with the sender's
	Why        string                 `cbor:"10,keyasint,omitempty" json:"why,omitempty"`
	Other      ident.ID[ident.Device] `cbor:"11,keyasint" json:"-"` // of a swap
	OtherLabel string                 `cbor:"12,keyasint,omitempty" json:"other,omitempty"`
}

// Answer is the answer to one step of an inspection.
type Answer struct {
	Step string `cbor:"1,keyasint" json:"step"`
	OK   bool   `cbor:"2,keyasint" json:"ok"`
	Text string `cbor:"3,keyasint,omitempty" json:"text,omitempty"` // a serial number, or a note
}

// Inspection is one inspection of a device. Inspections are never changed.
type Inspection struct {
	Number  uint64                 `cbor:"-" json:"number"`
	Device  ident.ID[ident.Device] `cbor:"1,keyasint" json:"device"`
	At      time.Time              `cbor:"2,keyasint" json:"at"`
	By      string                 `cbor:"3,keyasint" json:"by"`
	Profile string                 `cbor:"4,keyasint" json:"profile"` // whose steps were answered
	Answers []Answer               `cbor:"5,keyasint" json:"answers"`
	Passed  bool                   `cbor:"6,keyasint" json:"passed"`
	Photo   uint64                 `cbor:"7,keyasint,omitempty" json:"-"` // number of the photo; 0: none
	Hash    string                 `cbor:"8,keyasint,omitempty" json:"photo_sha256,omitempty"`
}

// photoRecord is a photo of an inspection: a JPEG that this package has made.
type photoRecord struct {
	Device ident.ID[ident.Device] `cbor:"1,keyasint"`
	JPEG   []byte                 `cbor:"2,keyasint"`
}

type deviceRow = vault.Row[device, vault.None]

const (
	indexID     = "id"
	indexSerial = "serial"
	indexAt     = "terminal" // connection, while deployed
	indexDevice = "device"
)

var devices = vault.NewTable(vault.BucketDevices,
	vault.NewIndex(indexID, func(r deviceRow) []string { return []string{r.Shared.ID.String()} }),
	vault.NewIndex(indexSerial, func(r deviceRow) []string { return []string{r.Shared.Serial} }),
	vault.NewIndex(indexAt, func(r deviceRow) []string {
		if r.Shared.Status != Deployed {
			return nil
		}
		return []string{r.Shared.Terminal.String()}
	}),
)

var entries = vault.NewJournal(vault.BucketCustody,
	vault.NewIndex(indexDevice, func(r vault.Row[Entry, vault.None]) []string { return []string{r.Shared.Device.String()} }),
)

var inspections = vault.NewJournal(vault.BucketInspections,
	vault.NewIndex(indexDevice, func(r vault.Row[Inspection, vault.None]) []string { return []string{r.Shared.Device.String()} }),
)

var (
	photos   = vault.NewJournal[photoRecord, vault.None](vault.BucketPhotos)
	policies = vault.NewJournal[Policy, vault.None](vault.BucketCustodyPolicy)
)

// Tables returns what the register keeps, for opening the vault.
func Tables() []vault.AnyTable {
	return []vault.AnyTable{devices, entries, inspections, photos, policies}
}
