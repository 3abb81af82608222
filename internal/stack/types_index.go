package stack

import "maps"

// resourceTypes has every type that Foregate makes, by name.
var resourceTypes = index(
	acmTypes,
	apiGatewayTypes,
	apiGatewayParts,
	cloudFrontTypes,
	cloudFrontLogTypes,
	iamTypes,
	lambdaTypes,
	logsTypes,
	deliveryTypes,
	route53Types,
	s3Types,
)

func index(tables ...map[string]*resourceType) map[string]*resourceType {
	all := map[string]*resourceType{}
	for _, t := range tables {
		maps.Copy(all, t)
	}
	return all
}
