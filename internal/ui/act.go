package ui

import "coffer/internal/access"

// actNames say what each action of the policy is, in the words of a sentence
// that begins with a person. A test compares them with the policy.
var actNames = map[access.Action]string{
	access.SignIn: "signed in", access.SessionRead: "read the sessions", access.SessionClose: "ended a session",
	access.SessionTouch: "kept a session alive", access.PageRead: "asked for a page", access.CardRefuse: "sent a card number, which was refused", access.StaffCreate: "took in staff",
	access.CredentialRead: "compared a password", access.CredentialWrite: "changed a password's record",
	access.DayRead: "read the day list", access.DayOwn: "read the own day", access.ClientFind: "searched clients",
	access.ClientRead: "read a client", access.ClientWrite: "changed a client", access.AssignmentWrite: "assigned a client",
	access.ScheduleWrite: "changed the schedule", access.RoomWrite: "changed a room", access.AppointmentCheckIn: "checked a client in",
	access.EncounterClose: "closed a session held", access.ChargePost: "posted a charge", access.ChargeRead: "read charges",
	access.FeeRead: "read the fees", access.FeeWrite: "changed a fee", access.PaymentTake: "took a payment",
	access.PaymentRead: "read a payment", access.PaymentCancel: "cancelled at the terminal", access.PaymentVoid: "voided a payment",
	access.PaymentRefund: "refunded a payment", access.PaymentStep: "moved a payment on", access.PaymentReview: "read the open payments",
	access.PaymentResolve: "stated what became of a payment", access.ReceiptRead: "read a receipt", access.ReceiptPrint: "printed a receipt",
	access.ActRead: "looked at the approvals", access.ActPropose: "asked for an approval", access.ActApprove: "decided about an approval",
	access.AccountAdjust: "adjusted an account",
	access.CheckRead:     "looked at the checks", access.CheckDeposit: "deposited checks", access.CheckReturn: "recorded a returned check",
	access.DrawerRead: "looked at the own drawer", access.DrawerOpen: "put a float into the drawer", access.DrawerDrop: "took cash out for the bank",
	access.DrawerTakeBack: "took a drop of cash back", access.DrawerCount: "counted the drawer", access.BatchState: "stated a terminal's totals", access.SheetRead: "read the day sheets",
	access.DaySeal: "closed a day", access.DaySign: "signed a day sheet", access.WorkResolve: "explained a difference",
	access.BooksRead: "read the books", access.BooksSetup: "set up the books", access.BooksCheck: "checked the books",
	access.BoxStatus: "looked at the box", access.TerminalStatus: "looked at the terminals", access.TerminalLock: "blocked a terminal", access.TerminalAttach: "plugged a terminal in or out",
	access.TerminalWrite: "changed a terminal", access.CustodyRead: "looked at the register of devices", access.CustodyWrite: "changed the register of devices", access.CustodyPolicy: "set the policy of inspections",
	access.AuthorityRead: "read the box's authority", access.AuthorityWrite: "made the box's authority",
	access.StoreClose: "stopped in order", access.StoreClock: "saw the clock set", access.StoreVerify: "verified the store", access.ScopeProve: "searched the box for card numbers", access.StoreOpen: "opened the store", access.StoreAnchor: "anchored the store",
	access.StoreCompact: "compacted the store", access.StoreRestore: "restored the store", access.StoreRetire: "retired the box",
	access.StoreAcceptLoss: "accepted that a commit is lost",
	access.SealRead:        "looked at the seal", access.SealWrite: "sealed anew", access.RecoveryMake: "made a recovery sheet",
	access.RecoveryRead: "looked at the state of the recovery sheet", access.RecoveryTest: "tested the recovery sheet", access.KeyRotate: "changed the keys", access.ClientShred: "erased a client for ever",
	access.BackupRead: "looked at the backups", access.BackupWrite: "made a backup", access.BackupVerify: "verified a backup",
	access.BackupDrill: "rehearsed a restore", access.AuditRead: "read the trail", access.AuditExport: "exported the trail",
	access.AuditTail: "looked at the end of the trail", access.AuditVerify: "verified the trail", access.AuditCheckpoint: "signed the trail", access.AuditWitness: "compared the trail from a browser",
}

// actWords returns the words of an action, or its code if it has none.
func actWords(act string) string {
	if words := actNames[access.Action(act)]; words != "" {
		return words
	}
	return act
}
