package http3

import "github.com/quic-go/quic-go"

// Error codes (rfc9114 8.1, rfc9204 8.3).
const (
	noError              quic.ApplicationErrorCode = 0x100
	generalProtocolError quic.ApplicationErrorCode = 0x101
	internalError        quic.ApplicationErrorCode = 0x102
	streamCreationError  quic.ApplicationErrorCode = 0x103
	closedCriticalStream quic.ApplicationErrorCode = 0x104
	frameUnexpected      quic.ApplicationErrorCode = 0x105
	frameError           quic.ApplicationErrorCode = 0x106
	excessiveLoad        quic.ApplicationErrorCode = 0x107
	idError              quic.ApplicationErrorCode = 0x108
	settingsError        quic.ApplicationErrorCode = 0x109
	missingSettings      quic.ApplicationErrorCode = 0x10a
	requestRejected      quic.ApplicationErrorCode = 0x10b
	requestCancelled     quic.ApplicationErrorCode = 0x10c
	requestIncomplete    quic.ApplicationErrorCode = 0x10d
	messageError         quic.ApplicationErrorCode = 0x10e
	decompressionFailed  quic.ApplicationErrorCode = 0x200
	encoderStreamError   quic.ApplicationErrorCode = 0x201
	decoderStreamError   quic.ApplicationErrorCode = 0x202
)

// fault is something that the client did wrong.
type fault struct {
	code quic.ApplicationErrorCode
	why  string
	// conn is set for what ends the connection, not just the stream.
	conn bool
}

// Error says what it was.
func (f *fault) Error() string { return f.why }

func connFault(code quic.ApplicationErrorCode, why string) *fault { return &fault{code, why, true} }
func streamFault(code quic.ApplicationErrorCode, why string) *fault {
	return &fault{code, why, false}
}
