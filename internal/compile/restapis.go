package compile

func (c *compiler) restAPIs() {}
