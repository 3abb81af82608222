package compile

func (c *compiler) bucketsStage() {}
