package stack

var cloudFrontTypes = map[string]*resourceType{}
