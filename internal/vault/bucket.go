package vault

import "encoding/binary"

// Scope is the compartment to which a bucket belongs. Its number stands on the
// disk. Each compartment wraps its keys under one of its own, so whoever has
// that one opens nothing of the others; a client has a key per compartment.
type Scope uint8

// The compartments.
const (
	Identity Scope = iota + 1 // who a client or a member of staff is
	Service                   // appointments, encounters, fees: what was done when
	Tokens                    // what stands for a card or a session
	Ledger                    // accounts, entries, attempts: money
	Audit                     // the audit trail
	Box                       // settings of the box itself, and the set hash
	Chart                     // diagnoses and notes: why
	scopeEnd
)

// ringLabels are the labels, for Key.Derive, of the keys that wrap the keys of
// each compartment.
var ringLabels = [scopeEnd]string{
	Identity: "ring/identity", Service: "ring/service", Tokens: "ring/tokens", Ledger: "ring/ledger",
	Audit: "ring/audit", Box: "ring/box", Chart: "ring/chart",
}

// Class is the sensitivity of what a bucket holds.
type Class uint8

// The classes.
const (
	D0 Class = iota // says nothing about a person
	D1              // about staff or the box
	D2              // about a client, by pseudonym only
	D3              // identifies a client
	K               // secrets: credentials and tokens
)

// Bucket is one kind of record. Its ID, never its name, is on the disk.
type Bucket struct {
	ID     uint16
	Name   string
	Scope  Scope
	Class  Class
	Schema uint16 // version of the records' form, from 1
}

// The buckets of the vault itself.
const (
	metaID    uint16 = 0x0001
	keyringID uint16 = 0x0002
	auditID   uint16 = 0x00A0
	cacheID   uint16 = 0x00A1 // tiles: leaf hashes of the audit tree, a cache
	headsID   uint16 = 0x00A2 // signed checkpoints of the audit tree
)

// ownBucket reports whether no table may have the bucket: else somebody could
// change the trail.
func ownBucket(id uint16) bool { return id < 0x0010 || id >= auditID && id <= 0x00AF }

// The buckets of the record floor and above. An ID is never used again for
// another thing. Reserved, as the design names them: 0x0014 settings, 0x0015
// commands, 0x0045 payments.
var (
	BucketStaff         = Bucket{0x0010, "staff", Identity, K, 1}
	BucketSessions      = Bucket{0x0011, "sessions", Tokens, K, 1}
	BucketClients       = Bucket{0x0012, "clients", Identity, D3, 1}
	BucketAssignments   = Bucket{0x0013, "assignments", Identity, D2, 1}
	BucketCredentials   = Bucket{0x0016, "credentials", Tokens, K, 1}
	BucketAuthority     = Bucket{0x0017, "authority", Box, K, 1}
	BucketBackups       = Bucket{0x0019, "backups", Box, D1, 1}
	BucketUpkeep        = Bucket{0x0018, "upkeep", Box, D0, 1}
	BucketAppointments  = Bucket{0x0020, "appointments", Service, D2, 1}
	BucketEncounters    = Bucket{0x0021, "encounters", Service, D2, 1}
	BucketFees          = Bucket{0x0022, "fees", Service, D0, 1}
	BucketRooms         = Bucket{0x0024, "rooms", Service, D0, 1}
	BucketCharges       = Bucket{0x0023, "charges", Ledger, D2, 1}
	BucketScales        = Bucket{0x0025, "scales", Service, D2, 1}
	BucketAccounts      = Bucket{0x0030, "accounts", Ledger, D0, 1}
	BucketEntries       = Bucket{0x0031, "entries", Ledger, D2, 1}
	BucketItems         = Bucket{0x0032, "items", Ledger, D2, 1}
	BucketTotals        = Bucket{0x0033, "totals", Ledger, D2, 1}
	BucketAttempts      = Bucket{0x0040, "attempts", Ledger, D2, 1}
	BucketAttemptEvents = Bucket{0x0041, "attempt events", Ledger, D2, 1}
	BucketReceipts      = Bucket{0x0042, "receipts", Ledger, D2, 1}
	BucketTerminals     = Bucket{0x0043, "terminals", Box, D1, 1}
	BucketDevices       = Bucket{0x0060, "devices", Box, D1, 1}
	BucketCustody       = Bucket{0x0061, "custody log", Box, D1, 1}
	BucketInspections   = Bucket{0x0062, "inspections", Box, D1, 1}
	BucketPhotos        = Bucket{0x0063, "inspection photos", Box, D1, 1}
	BucketCustodyPolicy = Bucket{0x0064, "custody policies", Box, D1, 1}
	BucketTillCounters  = Bucket{0x0048, "till counters", Ledger, D1, 1}
	BucketReceiptCopies = Bucket{0x0049, "receipt copies", Ledger, D2, 1}
	BucketStrays        = Bucket{0x004A, "stray approvals", Ledger, D2, 1}
	BucketDeposits      = Bucket{0x004B, "deposits", Ledger, D2, 1}
	BucketDrawerCounts  = Bucket{0x0044, "drawer counts", Ledger, D1, 1}
	BucketDaySheets     = Bucket{0x0050, "day sheets", Ledger, D2, 1}
	BucketDaySeals      = Bucket{0x0051, "day seals", Ledger, D0, 1}
	BucketBatches       = Bucket{0x0052, "terminal batches", Ledger, D1, 1}
	BucketWorkItems     = Bucket{0x0053, "work items", Ledger, D1, 1}
	BucketWaivers       = Bucket{0x0054, "waivers", Ledger, D1, 1}
	BucketActs          = Bucket{0x0056, "acts", Ledger, D2, 1}
	BucketSheetCount    = Bucket{0x0055, "sheet count", Ledger, D0, 1}
)

// auditBucket describes the bucket of the audit trail to the record format.
var auditBucket = Bucket{auditID, "audit", Audit, D2, 1}

// bucketName returns the name of a bucket on the disk.
func bucketName(id uint16) []byte {
	return binary.BigEndian.AppendUint16([]byte{0x02}, id)
}
