package ui

import (
	"net/http"

	"coffer/internal/access"
	"coffer/internal/ops"
)

// route is one row of the table: what a browser may ask, the action that its
// asker must be able to do at all, and who answers. A background route is one
// that pages ask by themselves; it does not keep a session alive. An open
// route needs nobody signed in. A bare route is a style, a script or the word that
// the pages are served: it alone leaves no event in the audit trail.
type route struct {
	method, path string
	action       access.Action
	handler      func(*server, *call) error
	open         bool
	background   bool
	bare         bool
}

const (
	get  = http.MethodGet
	post = http.MethodPost
)

// routes is every address of Coffer.
var routes = []route{
	// anybody
	{method: get, path: "/static/:name", handler: (*server).staticFile, open: true, bare: true},
	{method: get, path: "/favicon.ico", handler: (*server).favicon, open: true, bare: true},
	{method: get, path: "/healthz", handler: (*server).healthy, open: true, bare: true},
	{method: get, path: "/sign-in", handler: (*server).signInForm, open: true},
	{method: post, path: "/sign-in", handler: (*server).signIn, open: true},

	// everybody who is signed in
	{method: get, path: "/", handler: (*server).first},
	{method: get, path: "/help", handler: (*server).help},
	{method: get, path: "/help/keys", handler: (*server).help},
	{method: get, path: "/session", handler: (*server).sessionLives, background: true},
	{method: get, path: "/bell", handler: (*server).listen, background: true},
	{method: get, path: "/witness", action: access.AuditWitness, handler: (*server).witness, background: true},
	{method: post, path: "/witness/alarm", action: access.AuditWitness, handler: testimony(false)},
	{method: post, path: "/witness/judged", action: access.AuditRead, handler: testimony(true)},
	{method: post, path: "/still-here", handler: (*server).stillHere},
	{method: post, path: "/sign-out", handler: (*server).signOut},
	{method: post, path: "/lock", handler: (*server).lock},

	// the front desk
	{method: get, path: "/today", action: access.DayRead, handler: (*server).today},
	{method: get, path: "/today/rows", action: access.DayRead, handler: (*server).todayAgain, background: true},
	{method: post, path: "/appointments/:id/arrive", action: access.AppointmentCheckIn, handler: (*server).arrive},
	{method: get, path: "/find", action: access.ClientFind, handler: (*server).findForm},
	{method: post, path: "/find", action: access.ClientFind, handler: (*server).find},
	{method: post, path: "/find/live", action: access.ClientFind, handler: (*server).findLive},
	{method: get, path: "/clients/:id", action: access.ClientFind, handler: (*server).client},
	{method: get, path: "/clients/:id/pay", action: access.PaymentTake, handler: (*server).payForm},
	{method: post, path: "/payments", action: access.PaymentTake, handler: (*server).pay},
	{method: get, path: "/payments/open", action: access.PaymentReview, handler: (*server).openPayments},
	{method: get, path: "/payments/:id/resolve", action: access.PaymentResolve, handler: (*server).stateForm},
	{method: post, path: "/payments/:id/resolve", action: access.PaymentResolve, handler: (*server).state},
	{method: get, path: "/payments/:id", action: access.PaymentRead, handler: (*server).payment},
	{method: get, path: "/payments/:id/again", action: access.PaymentRead, handler: (*server).paymentAgain, background: true},
	{method: get, path: "/payments/:id/progress", action: access.PaymentRead, handler: (*server).progress, background: true},
	{method: post, path: "/payments/:id/cancel", action: access.PaymentCancel, handler: (*server).cancel},
	{method: post, path: "/payments/:id/answer", action: access.PaymentTake, handler: (*server).answer},
	{method: get, path: "/payments/:id/give-back", action: access.PaymentRefund, handler: (*server).giveBackForm},
	{method: post, path: "/payments/:id/give-back", action: access.PaymentRefund, handler: (*server).giveBack},
	{method: get, path: "/approvals", action: access.ActRead, handler: (*server).approvals},
	{method: post, path: "/approvals/:id/approve", action: access.ActApprove, handler: (*server).approve},
	{method: get, path: "/adjust", action: access.AccountAdjust, handler: (*server).adjustForm},
	{method: post, path: "/adjust", action: access.AccountAdjust, handler: (*server).adjust},
	{method: post, path: "/approvals/:id/post", action: access.ActApprove, handler: (*server).approveAdjustment},
	{method: post, path: "/approvals/:id/refuse", action: access.ActApprove, handler: (*server).refuse},
	{method: post, path: "/approvals/:id/withdraw", action: access.ActPropose, handler: (*server).withdraw},
	{method: post, path: "/approvals/:id/carry-out", action: access.PaymentRefund, handler: (*server).carryOut},
	{method: get, path: "/receipts", action: access.ReceiptRead, handler: (*server).receipts},
	{method: get, path: "/receipts/:id", action: access.ReceiptRead, handler: (*server).receipt},
	{method: post, path: "/receipts/:id/print", action: access.ReceiptPrint, handler: (*server).receiptPDF},

	// the drawer, the checks and the close of the day
	{method: get, path: "/drawer", action: access.DrawerRead, handler: (*server).drawer},
	{method: post, path: "/drawer/open", action: access.DrawerOpen, handler: (*server).openDrawer},
	{method: post, path: "/drawer/count", action: access.DrawerCount, handler: (*server).countDrawer},
	{method: post, path: "/drawer/drop", action: access.DrawerDrop, handler: (*server).dropCash},
	{method: post, path: "/drawer/drops/:id/back", action: access.DrawerTakeBack, handler: (*server).takeDropBack},
	{method: post, path: "/drawer/batch", action: access.BatchState, handler: (*server).stateBatch},
	{method: get, path: "/checks", action: access.CheckRead, handler: (*server).checks},
	{method: post, path: "/checks/deposit", action: access.CheckDeposit, handler: (*server).depositChecks},
	{method: post, path: "/checks/:id/return", action: access.CheckReturn, handler: (*server).returnCheck},
	{method: get, path: "/days", action: access.SheetRead, handler: (*server).closeDay},
	{method: post, path: "/days", action: access.DaySeal, handler: (*server).sealDay},
	{method: get, path: "/days/:number", action: access.SheetRead, handler: (*server).daySheet},
	{method: post, path: "/work/:number", action: access.WorkResolve, handler: (*server).explainWork},

	// therapists, and the desk that closes a session from the schedule
	{method: get, path: "/my/day", action: access.DayOwn, handler: (*server).myDay},
	{method: get, path: "/my/clients/:id", action: access.DayOwn, handler: (*server).myClient},
	{method: get, path: "/appointments/:id/close", action: access.EncounterClose, handler: (*server).closeForm},
	{method: post, path: "/appointments/:id/close", action: access.EncounterClose, handler: (*server).closeSession},

	// the accountant
	{method: get, path: "/books", action: access.BooksRead, handler: (*server).trial},
	{method: get, path: "/books/journal", action: access.BooksRead, handler: (*server).journal},
	{method: get, path: "/books/accounts/:code", action: access.BooksRead, handler: (*server).account},
	{method: get, path: "/books/entries/:id", action: access.BooksRead, handler: (*server).entry},

	// IT, and the owner where it is the clinic's last resort
	{method: get, path: "/appliance", action: access.BoxStatus, handler: (*server).appliance},
	{method: get, path: "/backups", action: access.BackupRead, handler: (*server).backups},
	{method: get, path: "/backups/progress", action: access.BackupRead, handler: (*server).backupsAgain, background: true},
	{method: post, path: "/backups/now", action: access.BackupWrite, handler: begin(ops.TaskBackup)},
	{method: post, path: "/backups/verify", action: access.BackupVerify, handler: begin(ops.TaskVerify)},
	{method: post, path: "/backups/drill", action: access.BackupDrill, handler: begin(ops.TaskDrill)},
	{method: post, path: "/terminals/:id/release", action: access.TerminalWrite, handler: (*server).release},

	// the register of devices
	{method: get, path: "/terminals", action: access.CustodyRead, handler: (*server).terminals},
	{method: post, path: "/terminals/pair", action: access.CustodyWrite, handler: (*server).pairTerminal},
	{method: post, path: "/terminals/receive", action: access.CustodyWrite, handler: (*server).receiveDevice},
	{method: post, path: "/terminals/policy", action: access.CustodyPolicy, handler: (*server).setInspectionPolicy},
	{method: get, path: "/terminals/evidence", action: access.CustodyRead, handler: (*server).evidence},
	{method: get, path: "/terminals/evidence.csv", action: access.CustodyRead, handler: (*server).evidenceCSV},
	{method: get, path: "/devices/:id", action: access.CustodyRead, handler: (*server).device},
	{method: post, path: "/devices/:id/act", action: access.CustodyWrite, handler: (*server).deviceAct},
	{method: post, path: "/devices/:id/inspect", action: access.CustodyWrite, handler: (*server).inspectDevice},
	{method: get, path: "/devices/:id/photos/:number", action: access.CustodyRead, handler: (*server).devicePhoto},

	// the recovery sheet
	{method: get, path: "/recovery", action: access.RecoveryRead, handler: (*server).recovery},
	{method: post, path: "/recovery/test", action: access.RecoveryTest, handler: (*server).testSheet},
	{method: post, path: "/recovery/sheet", action: access.RecoveryMake, handler: (*server).newSheet},
	{method: post, path: "/recovery/type-back", action: access.RecoveryMake, handler: (*server).typeBack},
	{method: post, path: "/recovery/confirm", action: access.RecoveryMake, handler: (*server).confirmSheet},

	// the privacy officer
	{method: get, path: "/audit", action: access.AuditRead, handler: (*server).trail},
	{method: get, path: "/audit/events/:number", action: access.AuditRead, handler: (*server).event},
	{method: post, path: "/audit/alarm", action: access.AuditRead, handler: (*server).judgeAlarm},
	{method: post, path: "/audit/checkpoint", action: access.AuditCheckpoint, handler: (*server).signTrail},
	{method: get, path: "/audit/export", action: access.AuditExport, handler: (*server).exportForm},
	{method: post, path: "/audit/export", action: access.AuditExport, handler: (*server).prepareExport},
	{method: post, path: "/audit/exports/:id", action: access.AuditExport, handler: (*server).fetchExport},
	{method: get, path: "/audit/shred", action: access.ClientShred, handler: (*server).shredForm},
	{method: post, path: "/audit/shred", action: access.ClientShred, handler: (*server).shredAsk},
	{method: post, path: "/audit/shred/confirm", action: access.ClientShred, handler: (*server).shredConfirm},
}
