package access

import (
	_ "embed"
	"strings"
)

// Action is one row of the matrix.
type Action string

// The actions, as the matrix spells them. A test compares the two lists.
const (
	SignIn             Action = "signin"
	SessionRead        Action = "session.read"
	SessionClose       Action = "session.close"
	SessionTouch       Action = "session.touch"
	PageRead           Action = "page.read"
	CardRefuse         Action = "card.refuse"
	StaffCreate        Action = "staff.create"
	CredentialRead     Action = "credential.read"
	CredentialWrite    Action = "credential.write"
	DayRead            Action = "day.read"
	DayOwn             Action = "day.own"
	ClientFind         Action = "client.find"
	ClientRead         Action = "client.read"
	ClientWrite        Action = "client.write"
	AssignmentWrite    Action = "assignment.write"
	ScheduleWrite      Action = "schedule.write"
	RoomWrite          Action = "room.write"
	AppointmentCheckIn Action = "appointment.checkin"
	EncounterClose     Action = "encounter.close"
	ChargePost         Action = "charge.post"
	ChargeRead         Action = "charge.read"
	FeeRead            Action = "fee.read"
	FeeWrite           Action = "fee.write"
	PaymentTake        Action = "payment.take"
	PaymentRead        Action = "payment.read"
	PaymentCancel      Action = "payment.cancel"
	PaymentVoid        Action = "payment.void"
	PaymentRefund      Action = "payment.refund"
	ActRead            Action = "act.read"
	ActPropose         Action = "act.propose"
	ActApprove         Action = "act.approve"
	AccountAdjust      Action = "account.adjust"
	PaymentStep        Action = "payment.step"
	PaymentReview      Action = "payment.review"
	PaymentResolve     Action = "payment.resolve"
	ReceiptRead        Action = "receipt.read"
	ReceiptPrint       Action = "receipt.print"
	CheckRead          Action = "check.read"
	CheckDeposit       Action = "check.deposit"
	CheckReturn        Action = "check.return"
	DrawerRead         Action = "drawer.read"
	DrawerOpen         Action = "drawer.open"
	DrawerDrop         Action = "drawer.drop"
	DrawerTakeBack     Action = "drawer.takeback"
	DrawerCount        Action = "drawer.count"
	BatchState         Action = "batch.state"
	SheetRead          Action = "sheet.read"
	DaySeal            Action = "day.seal"
	DaySign            Action = "day.sign"
	WorkResolve        Action = "work.resolve"
	BooksRead          Action = "books.read"
	BooksSetup         Action = "books.setup"
	BoxStatus          Action = "box.status"
	TerminalStatus     Action = "terminal.status"
	TerminalLock       Action = "terminal.lock"
	TerminalAttach     Action = "terminal.attach"
	TerminalWrite      Action = "terminal.write"
	CustodyRead        Action = "custody.read"
	CustodyWrite       Action = "custody.write"
	CustodyPolicy      Action = "custody.policy"
	AuthorityRead      Action = "authority.read"
	AuthorityWrite     Action = "authority.write"
	StoreVerify        Action = "store.verify"
	ScopeProve         Action = "scope.prove"
	StoreOpen          Action = "store.open"
	StoreClose         Action = "store.close"
	StoreClock         Action = "store.clock"
	SealRead           Action = "seal.read"
	SealWrite          Action = "seal.write"
	RecoveryMake       Action = "recovery.make"
	RecoveryRead       Action = "recovery.read"
	RecoveryTest       Action = "recovery.test"
	KeyRotate          Action = "key.rotate"
	ClientShred        Action = "client.shred"
	StoreAnchor        Action = "store.anchor"
	StoreCompact       Action = "store.compact"
	StoreRestore       Action = "store.restore"
	StoreRetire        Action = "store.retire"
	StoreAcceptLoss    Action = "store.accept-loss"
	BackupRead         Action = "backup.read"
	BackupWrite        Action = "backup.write"
	BackupVerify       Action = "backup.verify"
	BackupDrill        Action = "backup.drill"
	BooksCheck         Action = "books.check"
	AuditRead          Action = "audit.read"
	AuditTail          Action = "audit.tail"
	AuditExport        Action = "audit.export"
	AuditVerify        Action = "audit.verify"
	AuditCheckpoint    Action = "audit.checkpoint"
	AuditWitness       Action = "audit.witness"
)

type cell uint8

const (
	no cell = iota
	yes
	own
	assigned
)

var cellNames = map[string]cell{"no": no, "yes": yes, "own": own, "assigned": assigned}

//go:embed matrix.txt
var matrix string

// Matrix returns the policy as people read it.
func Matrix() string { return matrix }

var policy = parse(matrix)

// Grants reports whether some entity exists for which the role alone could be
// allowed the action: who else could do what somebody must not do twice.
func Grants(role Role, action Action) bool { return policy[action][role] != no }

// parse reads the matrix; it panics on text that is not one, since the text is
// part of the program.
func parse(text string) map[Action]map[Role]cell {
	table := map[Action]map[Role]cell{}
	var roles []Role
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if roles == nil {
			for _, f := range fields[1:] {
				roles = append(roles, Role(f))
			}
			continue
		}
		action := Action(fields[0])
		if len(fields) != len(roles)+1 || table[action] != nil {
			panic("access: bad matrix row " + fields[0])
		}
		table[action] = map[Role]cell{}
		for i, f := range fields[1:] {
			c, ok := cellNames[f]
			if !ok {
				panic("access: bad matrix cell in row " + fields[0])
			}
			table[action][roles[i]] = c
		}
	}
	return table
}
