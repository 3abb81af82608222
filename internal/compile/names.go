package compile

func (c *compiler) names() {}
