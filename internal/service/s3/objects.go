package s3

import (
	"context"
	"fmt"
	"io"
)

// maxRead bounds ReadObject: a deployment package has at most 250 MB unzipped (Lambda quotas).
const maxRead = 262144000

// ReadObject reads a whole object, for Lambda's code.
func (s *Service) ReadObject(ctx context.Context, bucketName, key string) ([]byte, error) {
	if _, _, err := s.bucket(ctx, &bucketName); err != nil {
		return nil, err
	}
	objects, err := s.objects(bucketName)
	if err != nil {
		return nil, err
	}
	o, err := objects.Get(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("read object %q of bucket %q: %w", key, bucketName, err)
	}
	defer o.Content.Close()
	if o.Size > maxRead {
		return nil, fmt.Errorf("read object %q of bucket %q: it has %d bytes, more than %d", key, bucketName, o.Size, maxRead)
	}
	data := make([]byte, o.Size)
	if _, err := io.ReadFull(io.NewSectionReader(o.Content, 0, o.Size), data); err != nil {
		return nil, fmt.Errorf("read object %q of bucket %q: %w", key, bucketName, err)
	}
	return data, nil
}
