// Package awsapi is the wire layer of the AWS API.
package awsapi
