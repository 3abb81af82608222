package iam

// Sessions keeps temporary credentials.
type Sessions struct{}
