// Package identity knows the staff, signs them in, and is the only maker of
// agents: whoever acts in Coffer got the access.Agent here.
//
// It promises that
//   - a sign-in name belongs to one person and is never given to another;
//   - nobody signs in without password and second factor (TOTP, RFC 6238), and
//     no code works twice;
//   - a wrong name, a wrong password and a wrong code look alike: same words,
//     same work;
//   - attempts are slowed after five failures and the name is locked for
//     thirty minutes after ten; a name that nobody has behaves the same;
//   - a session ends on the server, after ten idle minutes and twelve hours at
//     the latest, and a person has one session: the next sign-in ends it;
//   - each attempt, each end and each opening is an event of the audit trail.
//
// On disk, through the vault: staff; credentials (an Argon2id hash in PHC
// form, the TOTP secret, the step last used, failures), class K; sessions, of
// which only the SHA-256 of the cookie is kept. Sessions live on when the
// daemon restarts. In memory: live sessions with their last activity, and the
// failures of names that nobody has.
//
// Trusted: the vault and its clock. Not trusted: the cookie, the form, and the
// network address that comes with them.
package identity
