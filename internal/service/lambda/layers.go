package lambda

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/arn"
	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/lambda"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// PublishLayerVersion stores a version of a layer. Functions do not see layers here.
func (s *Service) PublishLayerVersion(ctx context.Context, in *lambda.PublishLayerVersionInput) (*lambda.PublishLayerVersionOutput, error) {
	region, name := awsapi.CallFrom(ctx).Region, layerName(deref(in.LayerName))
	content := deref(in.Content)
	code, err := s.code(ctx, &lambda.FunctionCode{ZipFile: content.ZipFile, S3Bucket: content.S3Bucket, S3Key: content.S3Key})
	if err != nil {
		return nil, err
	}
	var v *resource.LayerVersion
	err = s.update(ctx, func(tx *store.Tx) {
		n := int64(1)
		for _, old := range resource.LayerVersions.All(tx, region) {
			if old.Name == name {
				n = max(n, *old.Value.Version+1)
			}
		}
		base := fmt.Sprintf("arn:%s:lambda:%s:%s:layer:%s", arn.Partition(region), region, s.env.Account, name)
		sum := sha256.Sum256(code.Zip)
		v = &resource.LayerVersion{Name: name, Zip: code.Zip, Value: &lambda.PublishLayerVersionOutput{
			LayerArn: &base, LayerVersionArn: new(base + ":" + strconv.FormatInt(n, 10)), Version: &n, Description: or(in.Description, ""), CreatedDate: stamp(s.env.Now()),
			CompatibleRuntimes: in.CompatibleRuntimes, CompatibleArchitectures: in.CompatibleArchitectures, LicenseInfo: in.LicenseInfo,
			Content: &lambda.LayerVersionContentOutput{CodeSize: new(int64(len(code.Zip))), CodeSha256: new(base64.StdEncoding.EncodeToString(sum[:])), Location: new("")}}}
		resource.LayerVersions.Put(tx, region, resource.FunctionPartID(name, strconv.FormatInt(n, 10)), v)
	})
	if err != nil {
		return nil, err
	}
	return v.Value, nil
}

// layerName takes the name out of a layer's name or ARN.
func layerName(text string) string {
	if a, err := arn.Parse(text); err == nil {
		text, _, _ = strings.Cut(strings.TrimPrefix(a.Resource, "layer:"), ":")
	}
	return text
}

// GetLayerVersion returns a version of a layer.
func (s *Service) GetLayerVersion(ctx context.Context, in *lambda.GetLayerVersionInput) (*lambda.GetLayerVersionOutput, error) {
	region := awsapi.CallFrom(ctx).Region
	v, ok := resource.LayerVersions.Get(s.env.Store.Read(ctx), region, resource.FunctionPartID(layerName(deref(in.LayerName)), strconv.FormatInt(deref(in.VersionNumber), 10)))
	if !ok {
		return nil, absent()
	}
	p := v.Value
	return &lambda.GetLayerVersionOutput{Content: p.Content, LayerArn: p.LayerArn, LayerVersionArn: p.LayerVersionArn, Description: p.Description, CreatedDate: p.CreatedDate,
		Version: p.Version, CompatibleRuntimes: p.CompatibleRuntimes, CompatibleArchitectures: p.CompatibleArchitectures, LicenseInfo: p.LicenseInfo}, nil
}

// GetLayerVersionByArn returns a version of a layer.
func (s *Service) GetLayerVersionByArn(ctx context.Context, in *lambda.GetLayerVersionByArnInput) (*lambda.GetLayerVersionByArnOutput, error) {
	text := deref(in.Arn)
	n, err := strconv.ParseInt(text[strings.LastIndexByte(text, ':')+1:], 10, 64)
	if err != nil {
		return nil, absent()
	}
	return s.GetLayerVersion(ctx, &lambda.GetLayerVersionInput{LayerName: &text, VersionNumber: &n})
}

// DeleteLayerVersion deletes a version of a layer; it is no error when there is none.
func (s *Service) DeleteLayerVersion(ctx context.Context, in *lambda.DeleteLayerVersionInput) (*lambda.DeleteLayerVersionOutput, error) {
	region := awsapi.CallFrom(ctx).Region
	id := resource.FunctionPartID(layerName(deref(in.LayerName)), strconv.FormatInt(deref(in.VersionNumber), 10))
	return &lambda.DeleteLayerVersionOutput{}, s.update(ctx, func(tx *store.Tx) { resource.LayerVersions.Delete(tx, region, id) })
}

// layerVersions lists the versions of a layer, the newest first; of all layers without a name.
func (s *Service) layerVersions(ctx context.Context, name string) []*resource.LayerVersion {
	var all []*resource.LayerVersion
	for _, v := range resource.LayerVersions.All(s.env.Store.Read(ctx), awsapi.CallFrom(ctx).Region) {
		if name == "" || v.Name == name {
			all = append(all, v)
		}
	}
	slices.SortFunc(all, func(a, b *resource.LayerVersion) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(*b.Value.Version, *a.Value.Version))
	})
	return all
}

func layerItem(v *resource.LayerVersion) *lambda.LayerVersionsListItem {
	p := v.Value
	return &lambda.LayerVersionsListItem{LayerVersionArn: p.LayerVersionArn, Version: p.Version, Description: p.Description, CreatedDate: p.CreatedDate,
		CompatibleRuntimes: p.CompatibleRuntimes, CompatibleArchitectures: p.CompatibleArchitectures, LicenseInfo: p.LicenseInfo}
}

// ListLayerVersions lists the versions of a layer, the newest first.
func (s *Service) ListLayerVersions(ctx context.Context, in *lambda.ListLayerVersionsInput) (*lambda.ListLayerVersionsOutput, error) {
	var all []*lambda.LayerVersionsListItem
	for _, v := range s.layerVersions(ctx, layerName(deref(in.LayerName))) {
		all = append(all, layerItem(v))
	}
	items, next := page(all, func(v *lambda.LayerVersionsListItem) string { return *v.LayerVersionArn }, in.Marker, in.MaxItems)
	return &lambda.ListLayerVersionsOutput{LayerVersions: items, NextMarker: next}, nil
}

// ListLayers lists the layers with their newest versions.
func (s *Service) ListLayers(ctx context.Context, in *lambda.ListLayersInput) (*lambda.ListLayersOutput, error) {
	var all []*lambda.LayersListItem
	for _, v := range s.layerVersions(ctx, "") {
		if len(all) == 0 || *all[len(all)-1].LayerName != v.Name {
			all = append(all, &lambda.LayersListItem{LayerName: &v.Name, LayerArn: v.Value.LayerArn, LatestMatchingVersion: layerItem(v)})
		}
	}
	items, next := page(all, func(v *lambda.LayersListItem) string { return *v.LayerName }, in.Marker, in.MaxItems)
	return &lambda.ListLayersOutput{Layers: items, NextMarker: next}, nil
}

// readAll reads a stream to its end, at most most bytes.
func readAll(r io.Reader, most int64) ([]byte, error) {
	if r == nil {
		return nil, nil
	}
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(b)) > most {
		err = awsapi.Errorf(lambda.ErrCodeRequestTooLargeException, "Request must be smaller than %d bytes for the InvokeAsync operation", most)
	}
	return b, err
}
