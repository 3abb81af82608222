package rest

// phaseID names a phase of the pipeline.
type phaseID uint8

const (
	phaseRoute phaseID = iota
	phaseCheckAccess
	phaseAuthorize
	phaseThrottle
	phaseValidate
	phaseIntegrationRequest
	phaseIntegrate
	phaseIntegrationResponse
	phaseMethodResponse
	phaseGatewayResponse
	phaseLog
	phaseDone
)

// phase is one row of the pipeline: what it is called in traces, what it does, and what may come next. Every phase in
// front of log may also lead to gateway-response.
type phase struct {
	name string
	run  func(*exchange) (phaseID, Reason)
	next []phaseID
}

// pipeline is the order of API Gateway's decisions about a request.
var pipeline = [...]phase{
	phaseRoute:               {"route", (*exchange).route, []phaseID{phaseCheckAccess}},
	phaseCheckAccess:         {"check-access", (*exchange).checkAccess, []phaseID{phaseAuthorize}},
	phaseAuthorize:           {"authorize", (*exchange).authorize, []phaseID{phaseThrottle}},
	phaseThrottle:            {"throttle", (*exchange).throttle, []phaseID{phaseValidate}},
	phaseValidate:            {"validate", (*exchange).validate, []phaseID{phaseIntegrationRequest}},
	phaseIntegrationRequest:  {"integration-request", (*exchange).integrationRequest, []phaseID{phaseIntegrate}},
	phaseIntegrate:           {"integrate", (*exchange).integrate, []phaseID{phaseIntegrationResponse}},
	phaseIntegrationResponse: {"integration-response", (*exchange).integrationResponse, []phaseID{phaseMethodResponse}},
	phaseMethodResponse:      {"method-response", (*exchange).methodResponse, []phaseID{phaseLog}},
	phaseGatewayResponse:     {"gateway-response", (*exchange).gatewayResponse, []phaseID{phaseLog}},
	phaseLog:                 {"log", (*exchange).log, []phaseID{phaseDone}},
}

// PhaseRow is a row of the pipeline for documentation.
type PhaseRow struct {
	Name string
	Next []string
}

// Phases returns the pipeline's table.
func Phases() []PhaseRow {
	rows := make([]PhaseRow, 0, len(pipeline))
	for id := range pipeline {
		row := PhaseRow{Name: pipeline[id].name}
		for next := phaseID(0); next <= phaseDone; next++ {
			if !legal(phaseID(id), next) {
				continue
			}
			if next == phaseDone {
				row.Next = append(row.Next, "done")
			} else {
				row.Next = append(row.Next, pipeline[next].name)
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// legal tells whether next may follow id.
func legal(id, next phaseID) bool {
	if next == phaseGatewayResponse && id < phaseGatewayResponse {
		return true
	}
	for _, n := range pipeline[id].next {
		if n == next {
			return true
		}
	}
	return false
}

// run takes a request through the pipeline.
func (x *exchange) run() {
	for id := phaseRoute; id != phaseDone; {
		next, reason := pipeline[id].run(x)
		if !legal(id, next) {
			// A mistake of ours must not loop or lose the request.
			x.refuse(reasonInternal, internalError)
			next, reason = phaseGatewayResponse, reasonInternal
			if id >= phaseGatewayResponse {
				next = phaseDone
			}
		}
		if x.hop != nil {
			x.step(id, next, reason)
		}
		id = next
	}
}

// step records the decision of a phase.
func (x *exchange) step(id, next phaseID, reason Reason) {
	verdict := x.verdict
	if verdict == "" {
		verdict = "continue"
		if next == phaseGatewayResponse {
			verdict = "refuse"
		}
	}
	text := reason.String()
	if x.detail != "" {
		text += ": " + x.detail
	}
	x.hop.Step(pipeline[id].name, verdict, text)
	x.verdict, x.detail = "", ""
}
