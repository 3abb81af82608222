package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// model is a service-2.json of botocore. Only what the generator uses is named.
type model struct {
	Metadata   metadata           `json:"metadata"`
	Operations ordered[operation] `json:"operations"`
	Shapes     ordered[shape]     `json:"shapes"`
}

type metadata struct {
	APIVersion, EndpointPrefix, JSONVersion, Protocol, ServiceAbbreviation, ServiceFullName string
	SigningName, TargetPrefix, XMLNamespace                                                 string
}

type operation struct {
	HTTP struct {
		Method, RequestURI string
		ResponseCode       int
	} `json:"http"`
	Input      *shapeRef `json:"input"`
	Output     *shapeRef `json:"output"`
	Deprecated bool      `json:"deprecated"`
	Errors     []shapeRef
}

type shapeRef struct {
	Shape            string     `json:"shape"`
	Location         string     `json:"location"`
	LocationName     string     `json:"locationName"`
	Streaming        bool       `json:"streaming"`
	Flattened        bool       `json:"flattened"`
	XMLAttribute     bool       `json:"xmlAttribute"`
	XMLNamespace     *namespace `json:"xmlNamespace"`
	TimestampFormat  string     `json:"timestampFormat"`
	IdempotencyToken bool       `json:"idempotencyToken"`
	JSONValue        bool       `json:"jsonvalue"`
	Deprecated       bool       `json:"deprecated"`
	ResultWrapper    string     `json:"resultWrapper"`
}

// namespace is written as an object or as a plain string.
type namespace struct{ URI, Prefix string }

func (n *namespace) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &n.URI)
	}
	type plain namespace
	return json.Unmarshal(b, (*plain)(n))
}

type shape struct {
	Type             string            `json:"type"`
	Members          ordered[shapeRef] `json:"members"`
	Member           *shapeRef         `json:"member"`
	Key              *shapeRef         `json:"key"`
	Value            *shapeRef         `json:"value"`
	Required         []string          `json:"required"`
	Payload          string            `json:"payload"`
	Enum             []string          `json:"enum"`
	Min, Max         *json.Number
	Pattern          string     `json:"pattern"`
	Flattened        bool       `json:"flattened"`
	LocationName     string     `json:"locationName"`
	XMLNamespace     *namespace `json:"xmlNamespace"`
	TimestampFormat  string     `json:"timestampFormat"`
	Streaming        bool       `json:"streaming"`
	Sensitive        bool       `json:"sensitive"`
	Union            bool       `json:"union"`
	Document         bool       `json:"document"`
	EventStream      bool       `json:"eventstream"`
	Event            bool       `json:"event"`
	Exception, Fault bool
	Error            *struct {
		Code           string
		HTTPStatusCode int
		SenderFault    bool
	} `json:"error"`
}

// ordered is a JSON object that keeps the order of its members, which is the order of elements in XML.
type ordered[T any] struct {
	names  []string
	values map[string]*T
}

func (o *ordered[T]) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if _, err := d.Token(); err != nil {
		return err
	}
	o.values = make(map[string]*T)
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		v := new(T)
		if err := d.Decode(v); err != nil {
			return fmt.Errorf("member %q: %w", name, err)
		}
		o.names = append(o.names, name.(string))
		o.values[name.(string)] = v
	}
	return nil
}

// readModel reads the newest version of a service's model below dir.
func readModel(dir, service string) (*model, error) {
	files, err := filepath.Glob(filepath.Join(dir, service, "*", "service-2.json"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("find model of service %q below %q", service, dir)
	}
	slices.Sort(files)
	b, err := os.ReadFile(files[len(files)-1])
	if err != nil {
		return nil, err
	}
	m := new(model)
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("parse model %q: %w", files[len(files)-1], err)
	}
	return m, nil
}
