package cloudformation_test

import (
	"fmt"

	"github.com/foregate/foregate/internal/template/cloudformation"
)

type names struct{}

func (names) Ref(id string) (any, error)          { return "ref-of-" + id, nil }
func (names) GetAtt(id, attr string) (any, error) { return id + "/" + attr, nil }

const small = `Parameters:
  Stage: {Type: String, Default: prod}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
Resources:
  Site:
    Type: AWS::CloudFront::Distribution
    DependsOn: Logs
    Properties:
      DistributionConfig:
        Comment: !Sub "${Stage} in ${AWS::Region}, ${!kept}"
        Aliases: [!If [IsProd, www.example.com, !Ref AWS::NoValue], b.example.com]
        Origins:
          - {Id: api, DomainName: !Sub "${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}", RootId: !GetAtt Api.RootResourceId}
  Api: {Type: AWS::ApiGateway::RestApi}
  Logs: {Type: AWS::S3::Bucket}
`

func Example() {
	t, findings := cloudformation.Parse("site.yaml", []byte(small))
	if t == nil {
		fmt.Println(findings)
		return
	}
	in, findings := t.Bind(cloudformation.Environment{Region: "eu-west-1", StackName: "s"})
	if in == nil {
		fmt.Println(findings)
		return
	}
	fmt.Println(in.Levels)
	res, err := in.Evaluate("Site", names{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(res.Properties)
	pos, ok := res.Lookup("Resources.Site.Properties.DistributionConfig.Origins[0].DomainName")
	fmt.Println(pos, ok)
	fmt.Println(t.Lookup("Resources.Site.Properties.DistributionConfig.Origins[0].Nothing.Here"))
	// Output:
	// [[Api Logs] [Site]]
	// {"DistributionConfig":{"Comment":"prod in eu-west-1, ${kept}","Aliases":["www.example.com","b.example.com"],"Origins":[{"Id":"api","DomainName":"ref-of-Api.execute-api.eu-west-1.amazonaws.com","RootId":"Api/RootResourceId"}]}}
	// site.yaml:14:23 true
	// site.yaml:14:13 false
}
