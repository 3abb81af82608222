package compile

func (c *compiler) distributions() {}
