package compile

func (c *compiler) identities() {}
